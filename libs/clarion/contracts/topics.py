"""Every topic, declared once. `clarion topics apply` makes them, `check` refuses a broker that differs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.limits import DAY_S, KIB, RETENTION_DAYS, TOPIC_RECORD_BYTES


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Names:
    """The names of topics and consumer groups under a prefix, so that several Clarions can share a broker."""

    prefix: str = ""

    def notifications(self, lane: Lane) -> str:
        return f"{self.prefix}notifications.{lane}"

    @property
    def scheduled(self) -> str:
        return f"{self.prefix}notifications.scheduled"

    def deliveries(self, lane: Lane) -> str:
        """Urgent deliveries have a topic and a consumer of their own: they never queue behind bulk."""
        return self.deliveries_urgent if lane is Lane.URGENT else self.deliveries_bulk

    @property
    def deliveries_urgent(self) -> str:
        return f"{self.prefix}deliveries.urgent"

    @property
    def deliveries_bulk(self) -> str:
        return f"{self.prefix}deliveries"

    @property
    def receipts(self) -> str:
        return f"{self.prefix}receipts"

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}dead-letters"

    def group(self, role: str) -> str:
        """A consumer group: `clarion.<lane>`, `clarion.receipts`, `clarion.scheduler`."""
        return f"{self.prefix}clarion.{role}"


def enough(partitions: int, wanted: int) -> int:
    """To how many a topic that has `partitions` is to be grown, so that it has `wanted` and each recipient keeps order.

    With a multiple, nobody changes from one of the old partitions to another.
    """
    return -(-wanted // partitions) * partitions


def declare(names: Names, *, lane_partitions: int, delivery_partitions: int) -> list[Topic]:
    """All topics. Partition counts are what they are made with: each may be grown later."""
    lane_config = _retention(RETENTION_DAYS * DAY_S) | {"max.message.bytes": str(TOPIC_RECORD_BYTES)}
    delivery_config = _retention(15 * 60) | {"segment.ms": str(5 * 60 * 1000), "max.message.bytes": str(1024 * KIB)}
    return [
        *(Topic(names.notifications(lane), lane_partitions, lane_config) for lane in LANES),
        Topic(names.scheduled, lane_partitions, lane_config),
        Topic(names.deliveries_urgent, delivery_partitions, delivery_config),
        Topic(names.deliveries_bulk, delivery_partitions, delivery_config),
        Topic(names.receipts, lane_partitions, _retention(RETENTION_DAYS * DAY_S)),
        Topic(names.dead_letters, 4, _retention(30 * DAY_S) | {"max.message.bytes": str(1024 * KIB)}),
    ]


def _retention(seconds: int) -> dict[str, str]:
    """Counted from when the broker took a record.

    By a producer's clock, a record that is stamped 1970 would be deleted with its segment before anybody reads it, one
    that is stamped 2100 would keep its segment for good, and recipients' limits would depend on who published. Every
    codec can be read: a broker that packs batches anew would only spend its time on what producers chose.
    """
    retention = {"cleanup.policy": "delete", "retention.ms": str(seconds * 1000)}
    return retention | {"message.timestamp.type": "LogAppendTime", "compression.type": "producer"}
