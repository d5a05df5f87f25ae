"""What a notification costs each role, taken apart: for itself, and for the window or record that it comes in. Pure.

A window of a lane costs once what all notifications in it share: a round trip to MongoDB, a look at who is connected. A
record in a mailbox costs its gateway a fetch, and wake-ups for what follows: acknowledgements and receipts. The more
gateways there are, the more records the same notifications are spread over. What is fitted to windows of ten and more
says too much of small ones: few acknowledgements follow a record with one notification. So a notification never costs
more than it does alone, which is measured as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

from tests.report import Row

_NAMED = "unit cost: "


@dataclass(frozen=True, slots=True)
class Sample:
    """So many notifications in so many windows: what each role was busy for beyond its idle share, in seconds."""

    count: float
    seconds: float
    windows: float
    busy: Mapping[str, float]
    idle: Mapping[str, float]
    wakeups: Mapping[str, float]

    def cpu_us(self, role: str) -> float:
        """Return the processor time of a notification in µs, without what a role uses while nothing happens."""
        return self.busy[role] / self.count * 1e6

    @classmethod
    def mean(cls, samples: Sequence[Self]) -> Self:
        """Return all samples of an arm as one."""
        of = len(samples)

        def means(name: str) -> dict[str, float]:
            return {role: sum(getattr(one, name)[role] for one in samples) / of for role in getattr(samples[0], name)}

        return cls(
            sum(one.count for one in samples) / of,
            sum(one.seconds for one in samples) / of,
            sum(one.windows for one in samples) / of,
            means("busy"),
            means("idle"),
            means("wakeups"),
        )


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """In µs of processor time: of a notification (`item`), of a lane's window, and of a record in a mailbox.

    `alone` is of a notification that has its window and its record for itself.
    """

    ingest_item: float
    lane_item: float
    lane_window: float
    lane_record: float
    lane_alone: float
    receipts_item: float
    receipts_record: float
    receipts_alone: float
    gateway_item: float
    gateway_record: float
    gateway_alone: float
    mongodb_item: float
    mongodb_window: float
    mongodb_alone: float
    kafka_item: float
    kafka_record: float
    kafka_alone: float

    def rows(self) -> list[Row]:
        """Return them as rows of a report."""
        return [Row(_NAMED + one.name.replace("_", ", of a "), getattr(self, one.name), "µs") for one in fields(self)]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """Return those of a report. Raise KeyError when one is missing."""
        told = {row.name: row.value for row in rows}
        return cls(**{one.name: told[_NAMED + one.name.replace("_", ", of a ")] for one in fields(cls)})


def two_costs(samples: Iterable[tuple[float, float, float]]) -> tuple[float, float]:
    """Return the costs a and b for which a·x + b·y is nearest to z in all samples (x, y, z), by least squares.

    Neither is below 0: where noise would make one so, it is 0, and the other is fitted alone.
    """
    every = list(samples)
    xx, yy = sum(x * x for x, _, _ in every), sum(y * y for _, y, _ in every)
    xy = sum(x * y for x, y, _ in every)
    xz, yz = sum(x * z for x, _, z in every), sum(y * z for _, y, z in every)
    determinant = xx * yy - xy * xy
    if determinant > 1e-9 * xx * yy:
        a, b = (xz * yy - yz * xy) / determinant, (yz * xx - xz * xy) / determinant
        if a >= 0 and b >= 0:
            return a, b
        if a < 0:
            return 0.0, max(0.0, yz / yy)
    return max(0.0, xz / xx), 0.0


def fitted(samples: Sequence[tuple[int, int, Sample]], single: Sample) -> UnitCosts:
    """Return the unit costs by which samples (of so many gateways and workers) are explained best.

    `single` is a sample in which each notification came alone.

    What an item and a record cost a gateway, and an item the lane, is fitted to one gateway at several rates only: so
    what several gateways need can be foretold and compared.
    """
    alone = [one for gateways, workers, one in samples if gateways == workers == 1]
    spread = [(gateways, one) for gateways, workers, one in samples if workers == 1]
    gateway_record, gateway_item = two_costs((one.windows, one.count, one.busy["gateway"]) for one in alone)
    _, lane_item = two_costs((one.windows, one.count, one.busy["lane"]) for one in alone)
    lane_window, lane_record = two_costs(
        (one.windows, one.windows * gateways, one.busy["lane"] - lane_item * one.count) for gateways, one in spread
    )
    receipts_record, receipts_item = two_costs((one.windows * n, one.count, one.busy["receipts"]) for n, one in spread)
    kafka_record, kafka_item = two_costs((one.windows * n, one.count, one.busy["kafka"]) for n, one in spread)
    mongodb_window, mongodb_item = two_costs((one.windows, one.count, one.busy["mongodb"]) for _, one in spread)
    ingest_item = sum(one.busy["ingest"] for one in alone) / sum(one.count for one in alone)
    return UnitCosts(
        ingest_item=ingest_item * 1e6,
        lane_item=lane_item * 1e6,
        lane_window=lane_window * 1e6,
        lane_record=lane_record * 1e6,
        lane_alone=single.cpu_us("lane"),
        receipts_item=receipts_item * 1e6,
        receipts_record=receipts_record * 1e6,
        receipts_alone=single.cpu_us("receipts"),
        gateway_item=gateway_item * 1e6,
        gateway_record=gateway_record * 1e6,
        gateway_alone=single.cpu_us("gateway"),
        mongodb_item=mongodb_item * 1e6,
        mongodb_window=mongodb_window * 1e6,
        mongodb_alone=single.cpu_us("mongodb"),
        kafka_item=kafka_item * 1e6,
        kafka_record=kafka_record * 1e6,
        kafka_alone=single.cpu_us("kafka"),
    )


def of_unit(items: float, each: float, shared: float, alone: float) -> float:
    """Return what a window or a record with so many notifications costs, of which none costs more than alone."""
    return min(items * each + shared, items * alone)
