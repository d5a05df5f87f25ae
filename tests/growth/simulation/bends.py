"""Which part is full first when everything grows: how busy each is, and at how many times of this it is full. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clarion.contracts.lanes import LANES
from tests.capacity.model import DEFAULTS
from tests.growth.simulation.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Load:
    """A part, what it has, and which share of that it uses; `more` says what makes it larger."""

    part: str
    has: str
    busy: float
    more: str

    @property
    def full_at(self) -> float:
        """Return at how many times this load it is full, were every cost to grow with the load."""
        return 1 / self.busy


def loads(of: Deployment) -> Sequence[Load]:
    """Return all parts, the busiest first."""
    partitions = DEFAULTS.partitions_lane
    found = [
        Load("ingest", f"{of.ingest_workers} processes", of.ingest_cores / of.ingest_workers, "more processes"),
        *(
            Load(
                f"lane {lane}",
                f"{of.workers[lane]} workers",
                of.lane_cores(lane) / of.workers[lane],
                f"more workers, up to {partitions}",
            )
            for lane in LANES
        ),
        Load(
            "receipts role",
            f"{of.receipts_workers} workers",
            of.receipts_cores / of.receipts_workers,
            f"more workers, up to {partitions}",
        ),
        Load("gateways: processor", f"{of.gateways} processes", of.gateway_cores, "more gateways"),
        Load(
            "gateways: connections",
            f"{DEFAULTS.connections:,} each",
            of.connections / of.gateways / DEFAULTS.connections,
            "more gateways",
        ),
        Load(
            "MongoDB's primary",
            f"{of.mongodb_cores:.0f} cores",
            of.mongodb_cores_busy / of.mongodb_cores,
            "a larger machine; shards are not built",
        ),
        Load(
            "Kafka's brokers",
            f"{of.kafka_cores:.0f} cores",
            of.kafka_cores_busy / of.kafka_cores,
            "more brokers",
        ),
    ]
    return sorted(found, key=lambda one: -one.busy)


def by_gateways(of: Deployment, counts: Sequence[int]) -> Sequence[Deployment]:
    """Return the same users and notifications on other numbers of gateways."""
    return [replace(of, gateways=count) for count in counts]
