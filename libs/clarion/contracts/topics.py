"""All topics. `clarion topics apply` makes them, and `clarion topics check` reports how a broker's differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.limits import DAY_S, KIB, RETENTION_DAYS, TOPIC_RECORD_BYTES


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is made. `name` includes the prefix; `config` has Kafka's names and values."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Names:
    """The names of topics and consumer groups. With a prefix each, several Clarions can share a broker."""

    prefix: str = ""

    def notifications(self, lane: Lane) -> str:
        """Return the topic of what is published to a lane."""
        return f"{self.prefix}notifications.{lane}"

    @property
    def scheduled(self) -> str:
        """Return the topic of what is published with a `deliver_at`, to be held until then."""
        return f"{self.prefix}notifications.scheduled"

    def deliveries(self, lane: Lane) -> str:
        """Return the topic of a lane's deliveries. Urgent ones have their own, so that they never wait behind bulk."""
        return self.deliveries_urgent if lane is Lane.URGENT else self.deliveries_bulk

    @property
    def deliveries_urgent(self) -> str:
        """Return the topic of the urgent lane's deliveries."""
        return f"{self.prefix}deliveries.urgent"

    @property
    def deliveries_bulk(self) -> str:
        """Return the topic of the deliveries of all other lanes."""
        return f"{self.prefix}deliveries"

    @property
    def receipts(self) -> str:
        """Return the topic of receipts."""
        return f"{self.prefix}receipts"

    @property
    def dead_letters(self) -> str:
        """Return the topic of dead letters."""
        return f"{self.prefix}dead-letters"

    def group(self, role: str) -> str:
        """Return a consumer group: `clarion.<lane>`, `clarion.receipts` or `clarion.scheduler`."""
        return f"{self.prefix}clarion.{role}"


def enough(partitions: int, wanted: int) -> int:
    """Return to how many partitions a topic must grow to have at least `wanted`: a multiple of those that it has.

    With a multiple, no recipient moves from one old partition to another, so the order of each is kept.
    """
    return -(-wanted // partitions) * partitions


def declare(names: Names, *, lane_partitions: int, delivery_partitions: int, replication: int) -> list[Topic]:
    """Return all topics. They are made with these counts of partitions, and each may be grown later.

    Of `replication` replicas all but one have to be in sync, so a broker may be away while records are taken, and what
    is acknowledged by all that are in sync is never on one broker alone. Kafka's own default is one.
    """
    common = _COMMON | {"min.insync.replicas": str(max(1, replication - 1))}
    kept = common | _retention(RETENTION_DAYS * DAY_S)
    lane_config = kept | {"max.message.bytes": str(TOPIC_RECORD_BYTES)}
    large = {"max.message.bytes": str(1024 * KIB)}
    delivery_config = common | _retention(15 * 60) | large | {"segment.ms": str(5 * 60 * 1000)}
    return [
        *(Topic(names.notifications(lane), lane_partitions, lane_config) for lane in LANES),
        Topic(names.scheduled, lane_partitions, lane_config),
        Topic(names.deliveries_urgent, delivery_partitions, delivery_config),
        Topic(names.deliveries_bulk, delivery_partitions, delivery_config),
        Topic(names.receipts, lane_partitions, kept),
        Topic(names.dead_letters, 4, common | _retention(30 * DAY_S) | large),
    ]


def _retention(seconds: int) -> dict[str, str]:
    """Return the configuration that keeps records for so long, counted from when the broker took them."""
    return {"cleanup.policy": "delete", "retention.ms": str(seconds * 1000)}


# By the producer's clock, a record that is stamped 1970 would be deleted with its segment before it is read, one that
# is stamped 2100 would keep its segment for good, and recipients' limits would depend on who published. Batches stay
# compressed as their producer chose: every codec can be read, and a broker would only spend time on another one.
_COMMON: Final = {"message.timestamp.type": "LogAppendTime", "compression.type": "producer"}
