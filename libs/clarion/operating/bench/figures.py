"""What a load has shown: latencies of each lane against its objective, and what was lost or came twice. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.objectives import DELIVERED_WITHIN_S


@dataclass(slots=True)
class Tally:
    """What happened to the notifications of a load so far, by the number of each."""

    published: dict[int, Lane] = field(default_factory=dict[int, Lane])  # what was sent, whatever became of it
    accepted: set[int] = field(default_factory=set[int])
    errors: list[str] = field(default_factory=list[str])
    latencies: dict[int, float] = field(default_factory=dict[int, float])
    repeats: int = 0  # that the application got, or the SDK dropped

    def arrived(self, number: int, latency: float) -> None:
        """Note the arrival of a notification; the first one counts."""
        if number in self.latencies:
            self.repeats += 1
        else:
            self.latencies[number] = latency

    def missing(self) -> set[int]:
        """Return what was accepted and has not arrived."""
        return self.accepted - self.latencies.keys()


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """A lane's part. Latencies are in seconds; None when nothing arrived."""

    lane: Lane
    published: int
    accepted: int
    arrived: int
    lost: int
    p50: float | None
    p95: float | None
    p99: float | None
    worst: float | None
    objective: float

    @property
    def is_met(self) -> bool:
        """Return whether everything was taken and has arrived, and p99 is within the objective."""
        is_fast = self.p99 is None or self.p99 <= self.objective
        return self.accepted == self.published and not self.lost and is_fast


@dataclass(frozen=True, slots=True)
class Report:
    """What a load has shown."""

    lanes: Sequence[LaneFigures]
    repeats: int
    errors: Sequence[str]
    seconds: float
    rate: float  # as it was, which is lower than asked when this machine could not keep up

    @property
    def is_met(self) -> bool:
        """Return whether every lane keeps to its objective, and nothing came twice."""
        return all(lane.is_met for lane in self.lanes) and not self.repeats


def report(tally: Tally, seconds: float) -> Report:
    """Return the figures of a load that was published over `seconds`."""
    lanes = [_lane(tally, lane) for lane in LANES]
    errors = sorted(set(tally.errors))[:10]
    return Report(lanes, tally.repeats, errors, seconds, len(tally.published) / seconds if seconds else 0.0)


def _lane(tally: Tally, lane: Lane) -> LaneFigures:
    numbers = {number for number, its_lane in tally.published.items() if its_lane is lane}
    accepted = numbers & tally.accepted
    latencies = sorted(tally.latencies[number] for number in numbers & tally.latencies.keys())
    return LaneFigures(
        lane=lane,
        published=len(numbers),
        accepted=len(accepted),
        arrived=len(latencies),
        lost=len(accepted - tally.latencies.keys()),
        p50=_at(latencies, 0.5),
        p95=_at(latencies, 0.95),
        p99=_at(latencies, 0.99),
        worst=latencies[-1] if latencies else None,
        objective=DELIVERED_WITHIN_S[lane],
    )


def _at(latencies: Sequence[float], q: float) -> float | None:
    """Return the smallest latency that at least the part `q` of them does not exceed."""
    return latencies[math.ceil(q * len(latencies)) - 1] if latencies else None
