"""`make growth`: how costs grow with what is stored, with gateways and with workers; and a million users, simulated.

What was measured is what the simulation is given: one gateway's costs, by which it must foretell within 15 % what two
to four cost. All processes share this machine's cores, so processor time is the measure, and no rate. Exits non-zero
when a bar is missed.
"""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from deploy.local.stack import Plan
from tests import report
from tests.growth import simulated, spread, stored
from tests.growth.recorded import RECORDED
from tests.report import Row
from tests.temporary_stacks import temporary_stack

PARTS: Final = ("stored", "spread")
_SERVERS: Final = ("mongodb", "kafka")


async def main(parts: Sequence[str], most: int, rounds: int, seconds: float, record: Path | None) -> int:
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # new topics have no leader for a moment
    rows: list[Row] = []
    try:
        plan = Plan(servers_only=True, any_ports=True, full_speed=True)
        async with temporary_stack(plan, console.print) as stack:
            beside = {name: pid for name in _SERVERS if (pid := stack.children[name].pid) is not None}
            if "spread" in parts:
                console.print(f"1 to 4 gateways and workers: {rounds} rounds of {len(spread.ARMS)} arms")
                found, means, costs = await spread.measure(stack.env, beside, rounds, seconds, console)
                rows += [*found, *simulated.compared(means, costs)]
            if "stored" in parts:
                console.print("with ever more stored")
                sizes = [size for size in stored.SIZES if size <= most]
                rows += await stored.measure(stack.env, beside, sizes, seconds, console)
        if set(parts) == set(PARTS):
            console.print("a million users, simulated")
            rows += simulated.rows(rows)
    finally:
        report.write("growth", rows, console)
    if record is not None:
        record.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(report.FOLDER / "growth.json", record)
        console.print(f"recorded as {record}: python -m tests.growth.page makes docs/growth.md of it")
    return 1 if any(row.ok is False for row in rows) else 0


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", choices=PARTS, action="append", help="this part; nothing is simulated then")
    arguments.add_argument("--most", type=int, default=stored.SIZES[-1], help="how many are stored at most")
    arguments.add_argument("--rounds", type=int, default=2, help="rounds of the arms of gateways and workers")
    arguments.add_argument("--seconds", type=float, default=6.0, help="how long each arm publishes")
    arguments.add_argument("--record", type=Path, nargs="?", const=RECORDED, help="keep the report for docs/growth.md")
    chosen = arguments.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever is told to stop leaves no process behind
    parts = chosen.only or PARTS
    sys.exit(asyncio.run(main(parts, chosen.most, chosen.rounds, chosen.seconds, chosen.record)))
