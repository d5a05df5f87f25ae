"""`make bench-stream`: the stream engine against its bars.

Arms are interleaved in one run: the machine is noisy, so the ratios of one run mean something and figures of different
runs do not. A missed bar is shown and fails nothing.
"""

import argparse
import asyncio
import logging
from statistics import mean

from rich.console import Console

from clarion.settings import Settings
from deploy.local.stack import Plan
from tests import report
from tests.bench.stream import drift, store_stage, throughput, urgent
from tests.temporary_stacks import temporary_stack


async def main(count: int, many: int) -> None:
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # new topics have no leader for a moment
    plan = Plan(servers_only=True, any_ports=True, full_speed=True)
    async with temporary_stack(plan, console.print) as stack:
        console.print(f"throughput: {throughput.ROUNDS} rounds of {count:,} each, a quarter for stock Faust")
        trials = await throughput.measure(stack.env, count, console)
        rows = throughput.rows(trials)
        console.print("the store stage alone")
        async with throughput.own_lane(stack.env) as own:
            rows += await store_stage.measure(Settings.from_env(own), console)
        console.print("urgent, quiet and beside bulk at 70 % of its maximum")
        maximum = mean(trial.per_second for trial in trials if trial.arm == "lane")
        rows += await urgent.measure(stack.env, maximum, console)
        console.print(f"drift over {many:,}")
        rows += await drift.measure(stack.env, many, console)
    report.write("bench-stream", rows, console)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=200_000, help="notifications an arm and round")
    arguments.add_argument("--many", type=int, default=1_000_000, help="notifications for the drift")
    chosen = arguments.parse_args()
    asyncio.run(main(chosen.count, chosen.many))
