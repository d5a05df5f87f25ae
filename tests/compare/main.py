"""`make compare`: Clarion, the system that it replaces, and one made of Socket.IO and BullMQ, under one workload.

The systems take turns, twice by default. A row in which Clarion is worse is printed as it is and fails nothing; what
Clarion has lost, or handed to somebody else, does. The table is written to build/reports/compare.md, its charts beside
it; with `--record` also to docs/compare.md, with the report itself in tests/data/compare.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from deploy.local.demo import events
from tests import report
from tests.bench.costs.arms import NO_LIMITS
from tests.compare import one_round, verdict
from tests.compare.arms.arm import Arm
from tests.compare.arms.before import BEFORE
from tests.compare.arms.clarion import CLARION
from tests.compare.arms.socketio import SOCKETIO
from tests.compare.figures import Figures, figures
from tests.compare.greatest_rate import greatest_rate
from tests.compare.one_round import Found
from tests.compare.page import charts, page
from tests.compare.page.recorded import Recorded, Series, read
from tests.compare.workload import CONNECTED, Course, Phase, Said, courses, everybody

ARMS: Final = {"before": BEFORE, "socketio": SOCKETIO, "clarion": CLARION}
SEED: Final = 28
RATE: Final = 48.0  # a second: what the replaced system carries on two cores with all who are connected
SECONDS: Final = 28.0
_SHARES: Final = {  # of the calm phase's length
    Phase.WARM: 0.2,
    Phase.CALM: 1.0,
    Phase.GROWTH: 0.5,
    Phase.KILLED: 0.25,
    Phase.STOPPED: 0.25,
    Phase.ASLEEP: 0.3,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much of everything there is to be."""

    rounds: int
    seconds: float  # of the calm phase; others are as long in proportion
    rate: float
    seed: int


async def main(wanted: Wanted, arms: Sequence[Arm], *, with_greatest: bool, record: bool) -> int:
    """Play all rounds, print and write what they have shown; return the exit code."""
    console = Console(highlight=False)
    if missing := [f"{arm.name} cannot run: {why}" for arm in arms if (why := arm.missing())]:
        console.print("\n".join(missing))
        return 2
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that has just started is no news
    os.environ |= NO_LIMITS
    said = github()
    planned = courses(
        wanted.seed, said, {phase: wanted.seconds * share for phase, share in _SHARES.items()}, wanted.rate
    )
    console.print(
        f"seed {wanted.seed}: {len(everybody())} users, {CONNECTED} of them connected, "
        f"{sum(len(course.publishes) for course in planned):,} notifications in each round of each system"
    )
    began = time.monotonic()
    found = await _rounds(arms, planned, wanted.rounds, console)
    # what was measured is kept, whatever comes of the greatest rates
    recorded = _written(found, {}, planned, wanted, console, record=record)
    if with_greatest:
        greatest = await _greatest(arms, said, console)
        recorded = _written(found, greatest, planned, wanted, console, record=record)
    console.print(f"all of it took {(time.monotonic() - began) / 60:.1f} minutes")
    page.show(recorded, console)
    return 1 if any(row.ok is False and row.bar == "= 0" for row in recorded.rows) else 0


def github() -> list[Said]:
    """Return what the sample of GitHub's deliveries tells people: types, texts, priorities and data."""
    return [
        Said(told.type, told.message, told.priority, told.data) for told in events.told(events.deliveries(), "compare")
    ]


async def _rounds(
    arms: Sequence[Arm], planned: Sequence[Course], rounds: int, console: Console
) -> Mapping[Arm, Sequence[Found]]:
    found: dict[Arm, list[Found]] = {arm: [] for arm in arms}
    for number in range(rounds):
        for arm in arms if number % 2 == 0 else reversed(arms):
            console.print(f"round {number + 1}: {arm.name}")
            played = await one_round.play(arm, planned, lambda note: console.print(f"    {note}"))
            console.print(f"  it took {played.seconds:.0f} s")
            found[arm].append(played)
    return found


async def _greatest(arms: Sequence[Arm], said: Sequence[Said], console: Console) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for arm in arms:
        console.print(f"the greatest rate: {arm.name}")
        found[arm.name] = await greatest_rate(arm, said, lambda note: console.print(f"    {note}"))
        console.print(f"  {found[arm.name]:,} notifications a second")
    return found


def _written(
    found: Mapping[Arm, Sequence[Found]],
    greatest: Mapping[str, int],
    planned: Sequence[Course],
    wanted: Wanted,
    console: Console,
    *,
    record: bool,
) -> Recorded:
    rounds: dict[str, list[Figures]] = {arm.name: [figures(one) for one in ours] for arm, ours in found.items()}
    series: dict[str, Series] = {
        arm.name: [(one.at, one.memory.own, one.memory.servers) for one in ours[-1].samples]
        for arm, ours in found.items()
    }
    processes = {
        arm.name: {
            name: (ours[-1].cpu_by_process.get(name, 0.0), mib) for name, mib in ours[-1].memory_by_process.items()
        }
        for arm, ours in found.items()
    }
    workload = {
        "users": float(len(everybody())),
        "connected": float(CONNECTED),
        "a second": wanted.rate,
        **{course.phase: course.seconds for course in planned},
    }
    versions = {name: version for ours in found.values() for name, version in ours[-1].versions.items()}
    path = report.save(
        "compare",
        verdict.rows(rounds),
        console,
        seed=wanted.seed,
        versions=versions,
        more={
            "rounds": rounds,
            "memory": series,
            "processes": processes,
            "workload": workload,
            "greatest": greatest,
        },
    )
    recorded = read(path)
    charts.write(recorded, report.FOLDER / "compare")
    (report.FOLDER / "compare.md").write_text(page.tables(recorded))
    if record:
        page.record(recorded)
    return recorded


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument(
        "--seconds", type=float, default=SECONDS, help="of the calm phase; others are as long in proportion"
    )
    arguments.add_argument("--rate", type=float, default=RATE, help="notifications a second")
    arguments.add_argument("--seed", type=int, default=SEED)
    arguments.add_argument("--only", choices=list(ARMS), action="append", help="this system; may be given again")
    arguments.add_argument("--no-greatest", action="store_true", help="leave out the greatest rate of each system")
    arguments.add_argument("--record", action="store_true", help="write the table and the charts into docs")
    chosen = arguments.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever is told to stop leaves no process behind
    sys.exit(
        asyncio.run(
            main(
                Wanted(chosen.rounds, chosen.seconds, chosen.rate, chosen.seed),
                [ARMS[name] for name in chosen.only or ARMS],
                with_greatest=not chosen.no_greatest,
                record=chosen.record,
            )
        )
    )
