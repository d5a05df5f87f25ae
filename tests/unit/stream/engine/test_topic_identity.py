"""Which topic of its name it is, and where to read on from: by the broker's id, the store and the commits."""

import pytest

from clarion.broker.group_offsets import Commit, commit, commit_metadata
from clarion.broker.topic_ids import TopicState
from clarion.settings import SettingsError
from clarion.store.topics import PAST_IDS, Known
from services.stream.engine.topic_identity import GENERATIONS, judge, places_to_resume

NOW = TopicState("new", 4)
SAME = Known("t", "new", 2, 4, {0: 7}, ("old",), 2)


def test_an_unknown_topic_has_the_generation_of_the_settings() -> None:
    assert judge("t", NOW, None, {}, least=3) == Known("t", "new", 3, 4, began=3)


def test_what_an_earlier_version_committed_is_in_the_store() -> None:
    assert judge("t", NOW, None, {0: Commit(7), 3: Commit(9)}, least=0) == Known("t", "new", 0, 4, {0: 7, 3: 9})


def test_commits_that_name_a_lost_store_mean_nothing_is_stored() -> None:
    assert judge("t", NOW, None, {0: Commit(7, 5), 1: Commit(9)}, least=0) == Known("t", "new", 5, 4, began=5)


def test_a_topic_keeps_its_generation_unless_a_higher_is_known() -> None:
    assert judge("t", NOW, SAME, {0: Commit(9, 2)}, least=0) == SAME
    for least, told in ((4, 2), (0, 4)):
        judged = judge("t", NOW, SAME, {0: Commit(9, told)}, least)
        assert judged is not None
        assert (judged.generation, judged.reached, judged.began) == (4, {0: 7}, 2), "its ids stay as they are"


def test_a_topic_made_anew_has_a_higher_generation() -> None:
    before = Known("t", "before", 2, 8, {0: 7}, ("old",))
    assert judge("t", NOW, before, {}, least=0) == Known("t", "new", 3, 4, {}, ("old", "before"), 3)
    assert judge("t", NOW, before, {}, least=9) == Known("t", "new", 9, 4, {}, ("old", "before"), 9)
    stale = judge("t", NOW, before, {0: Commit(3, 2)}, least=0)
    assert stale == Known("t", "new", 3, 4, {}, ("old", "before"), 3), "a worker of the topic before had committed"


def test_a_broker_that_tells_of_a_deleted_topic_is_asked_again() -> None:
    assert judge("t", TopicState("old", 4), SAME, {}, least=0) is None


def test_earlier_ids_are_bounded() -> None:
    known = Known("t", "before", 2, 4, {}, tuple("abcdefgh"))
    judged = judge("t", NOW, known, {}, least=0)
    assert judged is not None
    assert judged.past == (*"bcdefgh", "before")
    assert len(judged.past) == PAST_IDS


def test_generations_that_are_used_up_say_what_to_set() -> None:
    with pytest.raises(SettingsError, match="CLARION_PREFIX"):
        judge("t", NOW, Known("t", "before", GENERATIONS - 1, 4), {}, least=0)


def test_commits_tell_the_generation_they_were_made_with() -> None:
    assert commit(7, commit_metadata(12)) == Commit(7, 12)
    for metadata in ("", "g", "12", "g-1", "g1x", "another tool's"):
        assert commit(7, metadata) == Commit(7), metadata


def test_reading_goes_on_where_the_store_ends_before_the_commit() -> None:
    assert places_to_resume({0: 7, 1: 9, 2: 5}, {0: 7, 1: 4, 3: 1}) == {1: 4, 2: 0}
    assert places_to_resume({0: 7}, {0: 8}) == {}, "the store is told first"
