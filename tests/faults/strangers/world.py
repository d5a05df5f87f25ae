"""Every service of Clarion as a process of its own, without a supervisor: one that ends has ended by itself."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
import psutil

from clarion.contracts.lanes import LANES
from clarion.settings import Settings
from deploy.local.stack import Stack
from tests.bench.stream.throughput import own_lane
from tests.conftest import until
from tests.faults.stream.workers import LOGS
from tests.subprocesses import child, figures_of, free_port, is_ready

GATEWAYS: Final = 2
_READY_S: Final = 90.0


@dataclass(slots=True)
class Service:
    """A process, what it said, and what it held when it was ready."""

    name: str
    process: psutil.Process
    port: int
    admin: int
    log: Path
    resident: int = 0
    most: int = 0

    def is_alive(self) -> bool:
        return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE

    def look(self) -> None:
        """Note how much memory it holds."""
        self.most = max(self.most, self.process.memory_info().rss)

    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    async def status(self) -> tuple[str, list[str]]:
        """What /health says: a word, and reasons."""
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
            said = (await http.get(f"http://127.0.0.1:{self.admin}/health")).json()
        return said["status"], said["reasons"]

    async def figures(self) -> dict[str, float]:
        return await figures_of(self.admin)


@dataclass(slots=True)
class World:
    stack: Stack
    env: Mapping[str, str]
    settings: Settings
    services: dict[str, Service] = field(default_factory=dict[str, Service])

    @property
    def gateways(self) -> list[Service]:
        return [self.services[f"gateway-{number}"] for number in range(GATEWAYS)]

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{gateway.port}" for gateway in self.gateways]

    @property
    def ingest(self) -> Service:
        return self.services["ingest"]


@asynccontextmanager
async def world(stack: Stack) -> AsyncGenerator[World]:
    """All services on topics and a database of their own, ready. They end with the block."""
    wanted = {**stack.env, "CLARION_SAFETY_NET_S": "10", "CLARION_CONNECTIONS_PER_IP": "1000"}
    async with own_lane(wanted) as env, AsyncExitStack() as ends:
        settings = Settings.from_env(env)
        found = World(stack, env, settings)
        LOGS.mkdir(parents=True, exist_ok=True)
        for name, command in _commands().items():
            port, admin, log = free_port(), free_port(), LOGS / f"strangers-{name}.log"
            log.write_bytes(b"")
            own = {**env, "CLARION_PORT": str(port), "CLARION_ADMIN_PORT": str(admin)}
            process = await ends.enter_async_context(child(("-m", "clarion.cli", *command), own, log))
            found.services[name] = Service(name, process, port, admin, log)
        async with asyncio.timeout(_READY_S):
            for service in found.services.values():
                await _ready(service)
                service.resident = service.most = service.process.memory_info().rss
        yield found


def _commands() -> dict[str, tuple[str, ...]]:
    lanes = {f"lane-{lane}": ("stream", "--role", "lane", "--lane", str(lane)) for lane in LANES}
    roles = {role: ("stream", "--role", role) for role in ("receipts", "scheduler")}
    return {
        "ingest": ("ingest",),
        **lanes,
        **roles,
        **{f"gateway-{number}": ("gateway",) for number in range(GATEWAYS)},
    }


async def _ready(service: Service) -> None:
    async def is_up() -> bool:
        if not service.is_alive():
            raise RuntimeError(f"{service.name} has ended by itself: {os.linesep.join(service.lines()[-5:])}")
        return await is_ready(service.admin)

    await until(is_up, _READY_S)
