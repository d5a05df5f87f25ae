"""What is simulated: how many of everything there are, what each does, and what it costs. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clarion.contracts.lanes import LANES, Lane
from services.stream.engine.windows import POLICIES
from tests.capacity import page
from tests.capacity.model import DEFAULTS, Model
from tests.capacity.page import PAGE
from tests.growth.unit_costs import UnitCosts, of_unit

MILLION: Final = "million"  # the deployment of docs/capacity.md whose processes are taken
GATEWAYS: Final = 100
KAFKA_CORES: Final = 12.0  # three brokers of four cores
# A window of urgent takes what is there, so how many there are a second follows from how long one takes: a round trip
# to MongoDB and one to Kafka. Measured on a quiet machine, an urgent notification is at its client after about 10 ms.
_URGENT_S: Final = 0.005
_US: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Connects:
    """What a connect costs a gateway and MongoDB's primary, in µs of processor time."""

    gateway: float
    mongodb: float


@dataclass(frozen=True, slots=True)
class Deployment:
    """Rates are notifications a second. `shares` are those of the lanes, `workers` the processes of each."""

    costs: UnitCosts
    connects: Connects
    connection_idle: float  # µs each second of an idle connection
    single_item: float  # µs of ingest for a notification in a request of its own
    connections: int
    rate: float
    gateways: int
    shares: Mapping[Lane, float]
    workers: Mapping[Lane, int]
    receipts_workers: int
    ingest_workers: int
    mongodb_cores: float
    upgrades_per_s: float = DEFAULTS.upgrades_per_s
    kafka_cores: float = KAFKA_CORES
    replicas: int = DEFAULTS.replication
    windows_per_s: Mapping[Lane, float] = field(default_factory=dict[Lane, float])  # as measured, if they were

    def rate_of(self, lane: Lane) -> float:
        """Return how many notifications a second a lane has."""
        return self.rate * self.shares[lane]

    def windows_of(self, lane: Lane) -> float:
        """Return how many windows a second all workers of a lane close, when notifications come evenly."""
        if lane in self.windows_per_s:
            return self.windows_per_s[lane]
        policy, each = POLICIES[lane], self.rate_of(lane) / self.workers[lane]
        return self.workers[lane] * max(min(each, 1 / (policy.max_age_s or _URGENT_S)), each / policy.max_records)

    def records_of(self, lane: Lane) -> float:
        """Return how many records a second a lane writes to mailboxes: a window has one for each gateway it concerns.

        Users are spread over gateways by chance: of `k` notifications in a window, g · (1 − (1 − 1/g)^k) gateways are
        concerned.
        """
        windows = self.windows_of(lane)
        if not windows:
            return 0.0
        return windows * self.gateways * (1 - (1 - 1 / self.gateways) ** (self.rate_of(lane) / windows))

    @property
    def records(self) -> float:
        """Return how many records a second all lanes write to mailboxes."""
        return sum(map(self.records_of, LANES))

    # ---- cores that are busy while all goes well

    def lane_cores(self, lane: Lane) -> float:
        """Return how many cores all workers of a lane keep busy."""
        costs, windows = self.costs, self.windows_of(lane)
        if not windows:
            return 0.0
        shared = costs.lane_window + costs.lane_record * self.records_of(lane) / windows
        return windows * of_unit(self.rate_of(lane) / windows, costs.lane_item, shared, costs.lane_alone) * _US

    @property
    def gateway_cores(self) -> float:
        """Return how much of its core a gateway is busy for: deliveries, records, and its idle connections."""
        costs = self.costs
        delivered = self._of_records(costs.gateway_item, costs.gateway_record, costs.gateway_alone)
        return (delivered + self.connection_idle * self.connections * _US) / self.gateways

    @property
    def receipts_cores(self) -> float:
        """Return how many cores the receipts role keeps busy."""
        costs = self.costs
        return self._of_records(costs.receipts_item, costs.receipts_record, costs.receipts_alone)

    @property
    def mongodb_cores_busy(self) -> float:
        """Return how many cores MongoDB's primary keeps busy."""
        return sum(map(self.mongodb_cores_of, LANES))

    def mongodb_cores_of(self, lane: Lane) -> float:
        """Return how many of them a lane's notifications keep busy."""
        costs, windows = self.costs, self.windows_of(lane)
        if not windows:
            return 0.0
        each = self.rate_of(lane) / windows
        return windows * of_unit(each, costs.mongodb_item, costs.mongodb_window, costs.mongodb_alone) * _US

    @property
    def kafka_cores_busy(self) -> float:
        """Return how many cores all brokers keep busy: each replica costs what the measured one did."""
        costs = self.costs
        return self.replicas * self._of_records(costs.kafka_item, costs.kafka_record, costs.kafka_alone)

    def _of_records(self, each: float, shared: float, alone: float) -> float:
        """Return how many cores the records of all lanes keep busy, at these costs in µs."""
        return sum(
            records * of_unit(self.rate_of(lane) / records, each, shared, alone) * _US
            for lane in LANES
            if (records := self.records_of(lane))
        )

    @property
    def ingest_cores(self) -> float:
        """Return how many cores ingest keeps busy, were each notification a request of its own."""
        return self.single_item * self.rate * _US


def million(costs: UnitCosts, connects: Connects) -> Deployment:
    """Return the deployment of docs/capacity.md for a million users, on a hundred gateways."""
    text = PAGE.read_text()
    (of,) = [one for one in page.deployments(text) if one.name == MILLION]
    load, units = page.assumptions(text), page.costs(text)
    model = Model(of, units, load)
    bound = DEFAULTS.partitions_lane
    return Deployment(
        costs,
        connects,
        connection_idle=units["connection_idle_us"],
        single_item=units["ingest_us"],
        connections=int(of.connections),
        rate=of.peak,
        gateways=GATEWAYS,
        shares={lane: load[f"share_{lane}"] for lane in LANES},
        workers={lane: model.processes(model.lane(lane), f"lane_{lane}_us", bound) for lane in LANES},
        receipts_workers=model.processes(model.pushed, "receipts_us", bound),
        ingest_workers=model.processes(of.peak, "ingest_us"),
        mongodb_cores=load["mongodb_cores"],
    )
