"""CPU of all processes that a notification passes, from its request to its receipt."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Used:
    """What all processes of one role used."""

    us: float  # of CPU, a notification
    beyond_idle_us: float  # the same without what the processes use while nothing happens
    idle: float  # a share of a core: what they use then


def together(used: Iterable[Used]) -> Used:
    """Return what roles used together."""
    every = list(used)
    return Used(*(sum(part) for part in zip(*((one.us, one.beyond_idle_us, one.idle) for one in every), strict=True)))


async def run(
    env: Mapping[str, str], seconds: float, gateways: int = 1, *, rate: int = RATE, idle_s: float = 0.0
) -> dict[str, Used]:
    """Publish for so long to users who are connected and acknowledge; return what each role used.

    Ingest, a lane, the receipts role and gateways run under topics and a database of their own. The users are spread
    over the gateways evenly. Before that, the processes are watched for `idle_s` while nothing happens.
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
            await receivers.have(await publish(settings, _ARM, users, rate, _WARM_S))
            await asyncio.sleep(_SETTLE_S)
            before = _cpu_s(processes)
            await asyncio.sleep(idle_s)
            idle = {name: (used - before[name]) / idle_s if idle_s else 0.0 for name, used in _cpu_s(processes).items()}
            before, began = _cpu_s(processes), time.monotonic()
            count = await publish(settings, _ARM, users, rate, seconds)
            await receivers.have(count)
            await asyncio.sleep(_SETTLE_S)
            after, took_s = _cpu_s(processes), time.monotonic() - began
            used = {name: after[name] - before[name] for name in after}
            return {
                name: Used(cpu_s / count * 1e6, (cpu_s - idle[name] * took_s) / count * 1e6, idle[name])
                for name, cpu_s in used.items()
            }


def _cpu_s(processes: list[tuple[str, psutil.Process]]) -> dict[str, float]:
    used: defaultdict[str, float] = defaultdict(float)
    for name, process in processes:
        times = process.cpu_times()
        used[name] += times.user + times.system
    return used
