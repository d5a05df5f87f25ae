"""The figures of a round, by their names, and what a goal says of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

from clarion.contracts.lanes import LANES
from tests.compare.one_round import Found
from tests.compare.workload import FAULTS, Kind, Phase, users

CLARION: Final = "Clarion"
BEFORE: Final = "the replaced system"
SOCKETIO: Final = "Socket.IO + BullMQ"

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table. Less is better in all of them.

    `reduction` is by how much of the replaced system's figure Clarion's has to be less; None where it only has to be
    no more. `is_goal` is False for rows that explain others.
    """

    name: str
    unit: str
    reduction: float | None = None
    is_goal: bool = True
    digits: int = 1


NETWORK: Final = Measure("bytes to clients, a notification", "KiB", 0.75, digits=2)
CPU: Final = Measure("CPU, a notification", "ms", 0.6)
CPU_OWN: Final = Measure("CPU of the system's own processes, a notification", "ms", is_goal=False)
CPU_SERVERS: Final = Measure("CPU of brokers and databases, a notification", "ms", is_goal=False)
PEAK: Final = Measure("memory, peak", "MiB", 0.9)
PEAK_OWN: Final = Measure("memory of the system's own processes, peak", "MiB", is_goal=False)
PEAK_SERVERS: Final = Measure("memory of brokers and databases, peak", "MiB", is_goal=False)
GROWTH: Final = Measure("memory growth", "MiB", 0.9)
GROWTH_OWN: Final = Measure("memory growth of the system's own processes", "MiB", is_goal=False)
GROWTH_SERVERS: Final = Measure("memory growth of brokers and databases", "MiB", is_goal=False)
DATABASE: Final = Measure("MongoDB's time, a notification", "ms", 0.8, digits=2)
OPERATIONS: Final = Measure("MongoDB's operations, a notification", "", is_goal=False, digits=2)
CONNECTIONS: Final = Measure("connections to MongoDB, most", "", digits=0)
ERRORS: Final = Measure("connection errors", "", 1.0, digits=0)
HELD: Final = Measure("dead connections that are still held", "", digits=0)
BUSY_CPU: Final = Measure("many at once: CPU, a notification", "ms", 0.6, digits=2)
BUSY_DATABASE: Final = Measure("many at once: MongoDB's time, a notification", "ms", 0.8, digits=2)
BUSY_OPERATIONS: Final = Measure("many at once: MongoDB's operations, a notification", "", is_goal=False, digits=2)


def _waits(statistic: str) -> list[Measure]:
    return [Measure(f"publish to user, {lane}, {statistic}", "ms", digits=0) for lane in LANES]


LATE: Final = Measure("reminders late, median", "s", digits=2)
LATEST: Final = Measure("reminders late, most", "s", digits=2)
REFUSED: Final = [Measure(f"{fault}: refused", "", is_goal=False, digits=0) for fault in FAULTS]
LOST: Final = [Measure(f"{fault}: lost", "", digits=0) for fault in FAULTS]
DOUBLED: Final = [Measure(f"{fault}: doubled", "", digits=0) for fault in FAULTS]
ON_RETURN: Final = [Measure(f"{fault}: only by a new connection", "", digits=0) for fault in FAULTS]
CALM_LOST: Final = Measure("no fault: lost", "", digits=0)
CALM_DOUBLED: Final = Measure("no fault: doubled", "", digits=0)
MISLED: Final = Measure("handed to somebody else", "", digits=0)

MEASURES: Final[Sequence[Measure]] = (
    *(NETWORK, CPU, CPU_OWN, CPU_SERVERS),
    *(PEAK, PEAK_OWN, PEAK_SERVERS, GROWTH, GROWTH_OWN, GROWTH_SERVERS),
    *(DATABASE, OPERATIONS, BUSY_CPU, BUSY_DATABASE, BUSY_OPERATIONS, CONNECTIONS, ERRORS, HELD),
    *_waits("median"),
    *_waits("p99"),
    *(LATE, LATEST, CALM_LOST, CALM_DOUBLED),
    *(measure for each in zip(LOST, DOUBLED, ON_RETURN, REFUSED, strict=True) for measure in each),
    MISLED,
)


def figures(found: Found) -> Figures:
    """Return all figures of a round."""
    verdicts = found.account.verdicts()
    calm, busy = verdicts[Phase.CALM].published, verdicts[Phase.GROWTH].published
    peak = max(found.samples, key=lambda one: one.memory.total)
    without_fault = [verdict for phase, verdict in verdicts.items() if phase not in FAULTS]
    made = {
        NETWORK: found.received_bytes / calm / 1024,
        CPU: found.cpu.total / calm * 1e3,
        CPU_OWN: found.cpu.own / calm * 1e3,
        CPU_SERVERS: found.cpu.servers / calm * 1e3,
        PEAK: peak.memory.total,
        PEAK_OWN: max(one.memory.own for one in found.samples),
        PEAK_SERVERS: max(one.memory.servers for one in found.samples),
        GROWTH: found.grew.total,
        GROWTH_OWN: found.grew.own,
        GROWTH_SERVERS: found.grew.servers,
        DATABASE: found.database.latency_us / calm / 1e3,
        OPERATIONS: found.database.operations / calm,
        BUSY_CPU: found.busy_cpu.total / busy * 1e3,
        BUSY_DATABASE: found.busy_database.latency_us / busy / 1e3,
        BUSY_OPERATIONS: found.busy_database.operations / busy,
        CONNECTIONS: max(one.connections for one in found.samples),
        ERRORS: found.failures + found.errors,
        HELD: max(0, found.held),
        CALM_LOST: sum(len(verdict.lost) for verdict in without_fault),
        CALM_DOUBLED: sum(len(verdict.doubled) for verdict in without_fault),
        MISLED: sum(len(verdict.misled) for verdict in verdicts.values()),
        **_latencies(found),
    }
    for fault, lost, doubled, on_return, refused in zip(FAULTS, LOST, DOUBLED, ON_RETURN, REFUSED, strict=True):
        verdict = verdicts[fault]
        made[lost], made[doubled] = len(verdict.lost), len(verdict.doubled)
        made[on_return], made[refused] = len(verdict.on_return), len(verdict.refused)
    return {measure.name: float(value) for measure, value in made.items()}


def _latencies(found: Found) -> dict[Measure, float]:
    """Return the waits of users who were connected all the time, and how late all reminders came."""
    waits = found.account.waits_s(Phase.CALM, users(Kind.STEADY))
    late = found.account.waits_s(Phase.CALM, users(Kind.STEADY), reminders=True)
    all_late = [seconds for of_lane in late.values() for seconds in of_lane]
    made: dict[Measure, float] = {}
    for lane, of_median, of_p99 in zip(LANES, _waits("median"), _waits("p99"), strict=True):
        made[of_median] = median(waits[lane]) * 1e3
        made[of_p99] = p99(waits[lane]) * 1e3
    return made | {LATE: median(all_late), LATEST: max(all_late)}


def p99(seconds: Sequence[float]) -> float:
    """Return what 99 of 100 are below; of few, the greatest."""
    return quantiles(seconds, n=100, method="inclusive")[98] if len(seconds) > 1 else seconds[0]
