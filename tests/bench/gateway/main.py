"""`make bench-gateway`: the gateway against its bars.

Arms are interleaved in one run, or run at once: the machine is noisy, so the ratios of one run mean something and
figures of different runs do not. A missed bar is shown and fails nothing; what is lost does.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console

from deploy.local.stack import Plan
from tests import report
from tests.bench import background
from tests.bench.gateway import beside, delivery, fleet, idle, replay, storm
from tests.bench.gateway.arms import Lost
from tests.temporary_stacks import temporary_stack

PARTS: Final = ("delivery", "fleet", "replay", "storm", "idle")
STORM: Final = 5_000


async def main(parts: Sequence[str], count: int, sizes: list[int]) -> None:
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # new topics have no leader for a moment
    rows: list[report.Row] = []
    in_real_time = background.go_first()
    rows.append(report.Row("what is timed runs in real time (1: it does)", float(in_real_time), ""))
    if not in_real_time:
        console.print("[yellow]no real-time priority here (root has it): what is timed waits for the load, too[/]")
    try:
        plan = Plan(servers_only=True, any_ports=True, full_speed=True)
        async with temporary_stack(plan, console.print) as stack:
            if "delivery" in parts:
                console.print(f"delivered and acknowledged: {delivery.ROUNDS} rounds of {count:,} each")
                found, sustained = await delivery.measure(stack.env, count, console)
                rows += found
                console.print("beside others")
                rows += await beside.measure(stack.env, sustained, console)
            if "fleet" in parts:
                console.print(f"one gateway and three: {fleet.ROUNDS} rounds")
                rows += await fleet.measure(stack.env, count, console)
            if "replay" in parts:
                console.print("replay")
                rows += await replay.measure(stack.env, console)
            if "storm" in parts:
                console.print("all cut at once")
                rows += await storm.measure(stack.env, STORM, console)
            if "idle" in parts:
                console.print(f"idle for {idle.IDLE_S:g} s")
                rows += await idle.measure(stack.env, sizes, console)
    finally:  # where something is lost, what was measured before it counts all the same
        report.write("bench-gateway", rows, console)


def _leaves(group: BaseExceptionGroup[Lost]) -> Iterator[Lost]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", choices=PARTS, action="append", help="this part, and others named likewise")
    arguments.add_argument(
        "--count", type=int, default=200_000, help="notifications an arm and round: a multiple of 100,000"
    )
    arguments.add_argument("--sockets", type=int, nargs="+", default=[5_000, 18_000], help="how many are idle")
    chosen = arguments.parse_args()
    what_was_lost: list[str] = []
    try:
        asyncio.run(main(chosen.only or PARTS, chosen.count, chosen.sockets))
    except* Lost as lost:  # what is raised here would come out in a group
        what_was_lost += map(str, _leaves(lost))
    if what_was_lost:
        sys.exit(f"lost: {'; '.join(what_was_lost)}")
