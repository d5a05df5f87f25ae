"""A recipient or a partition that gets far more than others: which part of its way is busy, and when full. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from tests.capacity.model import DEFAULTS
from tests.growth.simulation.deployment import Deployment

HOT_PER_S: Final = 1_000.0  # notifications a second to one user
HOT_SHARE: Final = 0.3  # of a lane's notifications, in one partition
_US: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Part:
    """One process, or one client, that all of what is hot passes; `busy` is a share of what it can do."""

    name: str
    busy_before: float
    busy: float

    def full_at(self, hot: float) -> float:
        """Return how many hot notifications a second fill it, if `hot` of them make it as busy as it is."""
        each = (self.busy - self.busy_before) / hot
        return (1 - self.busy_before) / each if each else float("inf")


def recipient(of: Deployment, lane: Lane, round_trip_s: float) -> Sequence[Part]:
    """Return the parts that `HOT_PER_S` notifications a second to one user pass.

    In every lane but urgent the limit of a recipient lets a few through; the others are stored, and not pushed.
    """
    pushed = HOT_PER_S if lane is Lane.URGENT else min(HOT_PER_S, DEFAULTS.recipient_rate)
    worker = of.lane_cores(lane) / of.workers[lane]
    receipts = of.receipts_cores / of.receipts_workers
    item = of.costs.lane_item * _US
    client = limits.CREDIT_ITEMS / round_trip_s  # items a second, of which so many may be under way
    gateway = of.gateway_cores
    return [
        Part(f"the worker of the lane {lane} that has its partition", worker, worker + HOT_PER_S * item),
        Part("MongoDB's primary", _mongodb(of, 0), _mongodb(of, HOT_PER_S)),
        Part("its gateway", gateway, gateway + pushed * of.costs.gateway_item * _US),
        Part(
            "the worker of the receipts role that has its partition",
            receipts,
            receipts + pushed * of.costs.receipts_item * _US,
        ),
        Part(f"its client, {round_trip_s * 1e3:.0f} ms away: its credit", 0.0, pushed / client),
    ]


def _mongodb(of: Deployment, more: float) -> float:
    return (of.mongodb_cores_busy + more * of.costs.mongodb_item * _US) / of.mongodb_cores


def partition(of: Deployment, lane: Lane) -> Part:
    """Return the worker that has a partition with `HOT_SHARE` of a lane's notifications, and its part of the others."""
    partitions, workers = DEFAULTS.partitions_lane, of.workers[lane]
    cores = of.lane_cores(lane)
    others = (partitions / workers - 1) / (partitions - 1)
    return Part(
        f"the worker of the lane {lane} that has it",
        cores / workers,
        cores * (HOT_SHARE + (1 - HOT_SHARE) * others),
    )
