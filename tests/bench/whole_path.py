"""CPU of all processes that a notification passes, from its request to its receipt."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
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


async def run(env: Mapping[str, str], seconds: float) -> float:
    """Publish for so long to users who are connected and acknowledge; return µs of CPU for each notification.

    Ingest, a lane, the receipts role and a gateway run under topics and a database of their own.
    """
    ports = {name: (free_port(), free_port()) for name in _ROLES}
    urls = {
        "CLARION_INGEST_URL": f"http://127.0.0.1:{ports['ingest'][0]}",
        "CLARION_GATEWAY_URL": f"http://127.0.0.1:{ports['gateway'][0]}",
    }
    async with own_environment({**env, **NO_LIMITS, **urls}) as own, AsyncExitStack() as ending:
        processes: list[psutil.Process] = []
        for name, arguments in _ROLES.items():
            port, admin = ports[name]
            its = {**own, "CLARION_PORT": str(port), "CLARION_ADMIN_PORT": str(admin)}
            processes.append(await ending.enter_async_context(child(("-m", "clarion.cli", *arguments), its)))
        for _, admin in ports.values():
            await until(lambda admin=admin: is_ready(admin), _READY_S)
        settings, users = Settings.from_env(own), [new_id() for _ in range(USERS)]
        subscribers = [
            Subscriber(settings.gateway_urls, token=mint(settings, sub=user, scope=SUBSCRIBE)) for user in users
        ]
        async with Receivers(subscribers) as receivers:
            await receivers.have(await publish(settings, _ARM, users, RATE, _WARM_S))
            before = _cpu_s(processes)
            count = await publish(settings, _ARM, users, RATE, seconds)
            await receivers.have(count)
            await asyncio.sleep(_SETTLE_S)
            return (_cpu_s(processes) - before) / count * 1e6


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(used.user + used.system for used in (process.cpu_times() for process in processes))
