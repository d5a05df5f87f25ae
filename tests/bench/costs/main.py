"""`make bench-costs`: the unit costs of the capacity model, on a whole local stack that lives for the run.

Unlike the other benches it has no bars: docs/capacity.md takes its figures from here.
"""

import argparse
import asyncio
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from clarion.client import Subscriber
from clarion.contracts.ids import new_id
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from deploy.local.stack import Plan, Stack, running
from deploy.local.state import Folder
from tests import report
from tests.bench.costs import processor, sizes
from tests.bench.costs.arms import ARMS, NO_LIMITS, Arm, Receivers, publish
from tests.report import Row

USERS: Final = 200
IDLE_S: Final = 15.0
WARM_S: Final = 2.0  # of each arm, before it is measured: connections, and what is learned at the first use
SIZES: Final = "bytes in Kafka and MongoDB"


async def main(seconds: float, rate: int, only: str) -> None:
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # new topics have no leader for a moment
    os.environ |= NO_LIMITS
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(any_ports=True, gateways=1, full_speed=True)
        async with running(Folder(Path(folder)), plan, console.print) as stack:
            rows = await _measured(stack, seconds, rate, only, console)
            if only in SIZES:
                console.print(f"  {SIZES}")
                settings = Settings.from_env(stack.env)
                rows += [*await sizes.of_kafka(settings, Path(folder)), *await sizes.of_mongodb(settings)]
    report.write("bench-costs", rows, console)


async def _measured(stack: Stack, seconds: float, rate: int, only: str, console: Console) -> list[Row]:
    settings = Settings.from_env(stack.env)
    counted = processor.Processes({name: child.pid for name, child in stack.children.items() if child.pid})
    users = [new_id() for _ in range(USERS)]
    subscribers = [Subscriber(settings.gateway_urls, token=mint(settings, sub=user, scope=SUBSCRIBE)) for user in users]
    await asyncio.sleep(5)  # until what a start costs is over
    before = counted.look()
    async with Receivers(subscribers) as receivers:
        await asyncio.sleep(1)
        connected = counted.look()
        idle = await counted.idle(IDLE_S)
        connecting = connected.beyond(idle, before)
        rows = [Row(f"idle: {name}", share * 100, "% of a core") for name, share in idle.items()]
        rows += [Row(f"a connect: {name}", cpu_s / USERS * 1e6, "µs") for name, cpu_s in connecting.items()]
        for arm in (one for one in ARMS if only in one.name):
            console.print(f"  {arm.name}")
            rows += await _arm(settings, counted, idle, receivers, arm, users, seconds, rate)
    rows += [Row(f"resident memory: {name}", mib, "MiB") for name, mib in counted.resident_mib().items()]
    return rows


async def _arm(
    settings: Settings,
    counted: processor.Processes,
    idle: processor.Shares,
    receivers: Receivers,
    arm: Arm,
    users: Sequence[str],
    seconds: float,
    rate: int,
) -> list[Row]:
    await receivers.have(await publish(settings, arm, users, min(arm.rate_most, rate), WARM_S))
    before = counted.look()
    count = await publish(settings, arm, users, min(arm.rate_most, rate), seconds)
    await receivers.have(count)
    await asyncio.sleep(2)  # for receipts that are folded after the last acknowledgement
    used = counted.look().beyond(idle, before)
    rows = [Row(f"{arm.name}: published", count / seconds, "/s")]
    return rows + [Row(f"{arm.name}: {name}", cpu_s / count * 1e6, "µs/notification") for name, cpu_s in used.items()]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=15.0, help="how long each arm publishes")
    arguments.add_argument("--rate", type=int, default=1_500, help="notifications a second at most")
    arguments.add_argument("--only", default="", help=f"only arms with this in their names, or {SIZES!r}")
    chosen = arguments.parse_args()
    asyncio.run(main(chosen.seconds, chosen.rate, chosen.only))
