"""When recipients may be placed by all the partitions of a topic that has grown."""

from dataclasses import replace

from clarion.store.topics import Known
from services.stream.engine.topic_growth import PRODUCERS_KNOW_S, TopicGrowth

KNOWN = Known("t", "id", 3, 2, {0: 7, 1: 5}, ("old",), 1)
GROWN = replace(KNOWN, partitions=4, generation=4)
ENDS = {0: 7, 1: 5, 2: 9, 3: 0}
LATER = 100.0 + PRODUCERS_KNOW_S


def test_not_before_every_producer_knows_the_new_partitions() -> None:
    growth = TopicGrowth(4, 100.0)
    assert growth.look(ENDS, KNOWN, LATER - 0.1) is None
    assert growth.look(ENDS, KNOWN, LATER) == GROWN


def test_not_before_the_old_partitions_are_done() -> None:
    growth = TopicGrowth(4, 100.0)
    assert growth.look(ENDS, KNOWN, 100.0) is None
    put_since = ENDS | {1: 8}
    assert growth.look(put_since, KNOWN, LATER) is None
    assert growth.look(put_since | {0: 99}, KNOWN, LATER + 1) is None, (
        "what is put there after that goes by the new count"
    )
    assert growth.look(put_since | {0: 99}, replace(KNOWN, reached={0: 7, 1: 8}), LATER + 2) is not None


def test_what_was_never_reached_is_not_done() -> None:
    growth = TopicGrowth(4, 100.0)
    assert growth.look(ENDS, replace(KNOWN, reached={0: 7}), LATER) is None
    empty = ENDS | {1: 0}
    assert TopicGrowth(4, 100.0).look(empty, replace(KNOWN, reached={0: 7}), LATER) is not None


def test_it_tells_what_waits() -> None:
    growth = TopicGrowth(4, 100.0)
    growth.look(ENDS, KNOWN, 100.0)
    assert growth.new == {2: 9, 3: 0}
    told = growth.told("t", KNOWN.partitions)
    assert "t has 4 partitions" in told
    assert "placed by 2" in told
    assert "9 records wait" in told
