"""`make bench-gateway`: the gateway against its bars.

Arms are interleaved in one run: the machine is noisy, so the ratios of one run mean something and figures of different
runs do not. A missed bar is shown and fails nothing; what is lost does.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from deploy.local.stack import Plan, running
from deploy.local.state import Folder
from tests import report
from tests.bench import gateway_delivery, gateway_idle
from tests.bench.gateway_arms import Lost


async def main(count: int, sizes: list[int]) -> None:
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # new topics have no leader for a moment
    rows: list[report.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(servers_only=True, any_ports=True, full_speed=True)
        async with running(Folder(Path(folder)), plan, console.print) as stack:
            if count:
                console.print(f"delivered and acknowledged: {gateway_delivery.ROUNDS} rounds of {count:,} each")
                rows += await gateway_delivery.measure(stack.env, count, console)
            if sizes:
                console.print(f"idle for {gateway_idle.IDLE_S:g} s")
                rows += await gateway_idle.measure(stack.env, sizes, console)
    report.write("bench-gateway", rows, console)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=100_000, help="notifications an arm and round; 0: none")
    arguments.add_argument(
        "--sockets", type=int, nargs="*", default=[5_000, 18_000], help="how many are idle; nothing: none"
    )
    chosen = arguments.parse_args()
    try:
        asyncio.run(main(chosen.count, chosen.sockets))
    except Lost as lost:
        sys.exit(f"lost: {lost}")
