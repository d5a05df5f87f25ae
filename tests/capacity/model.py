"""What a deployment needs, from unit costs and what is assumed of the load. Pure; docs/capacity.md has it in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from clarion.contracts.limits import DAY_S, KEEP_DAYS, PING_S, RETENTION_DAYS
from clarion.settings import Settings
from tests.capacity.page import Deployment

DEFAULTS: Final = Settings()
LANES: Final = ("urgent", "high", "normal", "low")
BUSY: Final = 0.5  # of a core: what a process may use at the peak, so that it also takes over half of another's work
FULL: Final = 0.75  # of the connections that a gateway may have, so that a quarter of the gateways may be away
DISK_FULL: Final = 0.6  # of a disk, so that there is time to enlarge it
MEMORY_SPARE: Final = 1.5  # times what is needed
REPLICAS: Final = DEFAULTS.replication
DELIVERIES_KEPT_S: Final = 20 * 60  # 15 minutes, and the segment of 5 minutes that is being written
_MIB: Final = 1024 * 1024
FILES_SPARE: Final = 2_000  # descriptors of a gateway beyond its connections


@dataclass(frozen=True, slots=True)
class Model:
    """One deployment worked through. Figures are at the peak unless they say otherwise."""

    of: Deployment
    cost: Mapping[str, float]
    load: Mapping[str, float]

    @property
    def pushed(self) -> float:
        """Return how many notifications a second go to somebody who is connected."""
        return self.of.peak * self.load["online"]

    def processes(self, per_second: float, cost: str, bound: float = 0) -> int:
        """Return how many processes take `per_second`, each no busier than `BUSY`."""
        needed = max(self.of.least, ceil(per_second * self.cost[cost] / 1e6 / BUSY))
        assert not bound or needed <= bound, f"{cost}: {needed} processes, and {bound} partitions"
        return int(needed)

    @property
    def others(self) -> float:
        """Return how many processes there are beside gateways: scheduler, observer and one console, too."""
        bound = DEFAULTS.partitions_lane
        lanes = sum(self.processes(self.lane(one), f"lane_{one}_us", bound) for one in LANES)
        receipts = self.processes(self.pushed, "receipts_us", bound)
        return self.processes(self.of.peak, "ingest_us") + lanes + receipts + 2 * self.of.least + 1

    def cores(self, per_second: float, cost: str) -> float:
        """Return how many cores `per_second` keeps busy."""
        return per_second * self.cost[cost] / 1e6

    def lane(self, lane: str) -> float:
        """Return how many notifications a second a lane has."""
        return self.of.peak * self.load[f"share_{lane}"]

    @property
    def gateways(self) -> int:
        """Return how many gateways hold all connections, each `FULL` of what it may have."""
        needed = max(self.of.least, ceil(self.of.connections / (self.of.limit * FULL)))
        assert needed <= DEFAULTS.partitions_deliveries, "more gateways than mailboxes"
        return int(needed)

    @property
    def each_gateway(self) -> float:
        """Return how many connections a gateway has."""
        return self.of.connections / self.gateways

    @property
    def gateway_busy(self) -> float:
        """Return which share of a core a gateway uses: for its idle connections, and for what it pushes."""
        idle = self.each_gateway * self.cost["connection_idle_us"] / 1e6
        busy = idle + self.cores(self.pushed, "gateway_us") / self.gateways
        assert busy <= BUSY, f"a gateway is busy for {busy:.0%}"
        return busy

    @property
    def gateway_mib(self) -> float:
        """Return the memory of a gateway, in MiB."""
        idle = self.each_gateway * self.cost["connection_bytes"]
        stalled = self.each_gateway * self.load["stalled"] * self.cost["stalled_bytes"]
        return self.cost["process_mib"] + (idle + stalled) / _MIB

    @property
    def socket_mib(self) -> float:
        """Return what the kernel of a gateway's machine takes for its sockets, in MiB."""
        return self.each_gateway * self.cost["socket_bytes"] / _MIB

    @property
    def lanes_cores(self) -> float:
        """Return how many cores all lanes keep busy."""
        return sum(self.cores(self.lane(one), f"lane_{one}_us") for one in LANES)

    @property
    def clarion_cores(self) -> float:
        """Return how many cores all processes keep busy that cost something for each notification or connection."""
        gateways = self.gateways * self.gateway_busy
        return (
            self.cores(self.of.peak, "ingest_us") + self.lanes_cores + self.cores(self.pushed, "receipts_us") + gateways
        )

    @property
    def gateways_gib(self) -> float:
        """Return the memory of all gateways, that of the kernel for their sockets included, in GiB."""
        return self.gateways * (self.gateway_mib + self.socket_mib) / 1024

    @property
    def others_gib(self) -> float:
        """Return the memory of all processes but gateways, in GiB."""
        return self.others * self.cost["process_busy_mib"] / 1024

    @property
    def back_s_gateways(self) -> float:
        """Return after how many seconds all are back who were cut at once, as far as gateways take them."""
        return self.each_gateway / self.cost["connects_per_s"]

    @property
    def back_s_mongodb(self) -> float:
        """Return the same, as far as MongoDB's primary takes their sessions and look-ups."""
        return self.of.connections * self.cost["mongodb_connect_us"] / 1e6 / self.load["mongodb_cores"]

    @property
    def replay_s(self) -> float:
        """Return for how long a gateway reads what came for its users in an hour, beside live deliveries."""
        missed = self.of.mean * 3600 / self.gateways
        return missed / self.cost["replay_beside_per_s"]

    def kafka_in(self, per_second: float) -> float:
        """Return the bytes a second that producers write when `per_second` notifications are published."""
        of_online = self.cost["kafka_delivery_bytes"] + self.cost["kafka_receipt_bytes"]
        return per_second * (self.cost["kafka_lane_bytes"] + self.load["online"] * of_online)

    @property
    def kafka_disk(self) -> float:
        """Return the bytes on the disks of all brokers."""
        online = self.load["online"]
        kept = self.of.mean * (self.cost["kafka_lane_bytes"] + online * self.cost["kafka_receipt_bytes"])
        short = self.of.peak * online * self.cost["kafka_delivery_bytes"]
        return REPLICAS * (kept * RETENTION_DAYS * DAY_S + short * DELIVERIES_KEPT_S)

    @property
    def documents(self) -> float:
        """Return how many notifications MongoDB keeps."""
        return self.of.mean * KEEP_DAYS * DAY_S

    @property
    def mongodb_disk(self) -> float:
        """Return the bytes of documents and indexes on the disk of each member."""
        return self.documents * (self.cost["document_disk_bytes"] + self.cost["indexes_bytes"])

    @property
    def oplog(self) -> float:
        """Return the bytes of a day's oplog, on each member."""
        return self.of.mean * DAY_S * self.cost["oplog_bytes"]

    @property
    def member_disk(self) -> float:
        """Return the bytes on the disk of a MongoDB member: documents, indexes, and a day's oplog, compressed."""
        return self.mongodb_disk + self.of.mean * DAY_S * self.cost["oplog_disk_bytes"]

    @property
    def kafka_network(self) -> float:
        """Return the bytes a second through the network of all brokers: in, to replicas, and out to consumers."""
        return (1 + (REPLICAS - 1) + 1) * self.kafka_in(self.of.peak)

    @property
    def pings(self) -> float:
        """Return the bytes a second of pings."""
        return self.of.connections * self.cost["ping_bytes"] / PING_S

    @property
    def to_clients(self) -> float:
        """Return the bytes a second that gateways send to clients: frames and pings."""
        return self.pushed * self.cost["frame_bytes"] + self.pings
