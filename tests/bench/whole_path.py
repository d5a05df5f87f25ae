"""CPU of all processes that a notification passes, from its request to its receipt."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Final

import psutil

from clarion.client import Subscriber
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.bench.costs.arms import NO_LIMITS, Arm, Receivers, publish
from tests.conftest import until
from tests.own_settings import own_environment
from tests.subprocesses import child, free_port, is_ready

USERS: Final = 200
RATE: Final = 1_500  # notifications a second, so that windows are as large as on a busy system
_WARM_S: Final = 2.0
_SETTLE_S: Final = 2.0  # for receipts that are folded after the last acknowledgement
_READY_S: Final = 60.0
_ARM: Final = Arm("HTTP, batches", "batches", Lane.NORMAL, RATE)
_ROLES: Final = {
    "ingest": ("ingest",),
    "normal": ("stream", "--role", "lane", "--lane", "normal"),
    "receipts": ("stream", "--role", "receipts"),
    "gateway": ("gateway",),
}


async def run(env: Mapping[str, str], seconds: float, gateways: int = 1) -> dict[str, float]:
    """Publish for so long to users who are connected and acknowledge; return each role's CPU a notification, in µs.

    Ingest, a lane, the receipts role and gateways run under topics and a database of their own. The users are spread
    over the gateways evenly.
    """
    names = ["ingest", "normal", "receipts", *["gateway"] * gateways]
    ports = [(free_port(), free_port()) for _ in names]
    of_gateways = [
        f"http://127.0.0.1:{port}" for name, (port, _) in zip(names, ports, strict=True) if name == "gateway"
    ]
    urls = {
        "CLARION_INGEST_URL": f"http://127.0.0.1:{ports[0][0]}",
        "CLARION_GATEWAY_URL": ",".join(of_gateways),
    }
    async with own_environment({**env, **NO_LIMITS, **urls}) as own, AsyncExitStack() as ending:
        processes: list[tuple[str, psutil.Process]] = []
        for name, (port, admin) in zip(names, ports, strict=True):
            its = {**own, "CLARION_PORT": str(port), "CLARION_ADMIN_PORT": str(admin)}
            process = await ending.enter_async_context(child(("-m", "clarion.cli", *_ROLES[name]), its))
            processes.append((name, process))
        for _, admin in ports:
            await until(lambda admin=admin: is_ready(admin), _READY_S)
        settings, users = Settings.from_env(own), [new_id() for _ in range(USERS)]
        subscribers = [
            Subscriber(url, token=mint(settings, sub=user, scope=SUBSCRIBE))
            for user, url in zip(users, cycle(settings.gateway_urls), strict=False)
        ]
        async with Receivers(subscribers) as receivers:
            await receivers.have(await publish(settings, _ARM, users, RATE, _WARM_S))
            before = _cpu_s(processes)
            count = await publish(settings, _ARM, users, RATE, seconds)
            await receivers.have(count)
            await asyncio.sleep(_SETTLE_S)
            return {name: (used - before[name]) / count * 1e6 for name, used in _cpu_s(processes).items()}


def _cpu_s(processes: list[tuple[str, psutil.Process]]) -> dict[str, float]:
    used: defaultdict[str, float] = defaultdict(float)
    for name, process in processes:
        times = process.cpu_times()
        used[name] += times.user + times.system
    return used
