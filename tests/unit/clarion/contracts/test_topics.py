"""Topics are declared in one place, with their bounds."""

import pytest

from clarion.contracts import limits
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.topics import Names, declare


def test_topics_are_declared_once_with_bounds() -> None:
    topics = declare(Names("p-"), lane_partitions=4, delivery_partitions=8, replication=3)
    assert len({topic.name for topic in topics}) == len(topics) == 9
    assert all(topic.name.startswith("p-") and "retention.ms" in topic.config for topic in topics)
    assert {topic.partitions for topic in topics if "deliveries" in topic.name} == {8}
    assert Names().notifications(Lane.URGENT) == "notifications.urgent"
    assert Names("p-").group("low") == "p-clarion.low"
    assert min(int(topic.config.get("max.message.bytes", "1048576")) for topic in topics) > limits.RECORD_BYTES


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "4")])
def test_what_is_acknowledged_is_on_two_brokers_if_it_can(replication: int, in_sync: str) -> None:
    topics = declare(Names(), lane_partitions=4, delivery_partitions=8, replication=replication)
    assert {topic.config["min.insync.replicas"] for topic in topics} == {in_sync}


def test_what_is_stored_outlasts_what_kafka_keeps_of_it() -> None:
    """Or a redelivery would bring back what was purged: a record may be held, released late, and read again."""
    names = Names()
    kept = {
        topic.name: int(topic.config["retention.ms"])
        for topic in declare(names, lane_partitions=4, delivery_partitions=8, replication=3)
    }
    lanes = [kept[names.notifications(lane)] for lane in LANES]
    assert max(lanes) + kept[names.scheduled] < limits.KEEP_DAYS * limits.DAY_S * 1000
