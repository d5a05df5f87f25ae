"""All services that a notification passes, as processes of a test's own, under its own topics and database."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx2
import msgspec

from clarion.client import HttpPublisher, Publisher, Subscriber
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from tests.conftest import SAFETY_NET_S, until
from tests.subprocesses import env_of, free_port, is_ready

ROLES: Final = {
    "ingest": ("ingest",),
    "urgent": ("stream", "--role", "lane", "--lane", "urgent"),
    "normal": ("stream", "--role", "lane", "--lane", "normal"),
    "receipts": ("stream", "--role", "receipts"),
    "scheduler": ("stream", "--role", "scheduler"),
    "gateway": ("gateway",),
}


@dataclass(frozen=True, slots=True)
class Services:
    """Running services. `admin` has their admin ports, by the names of `ROLES`."""

    settings: Settings
    admin: Mapping[str, int]

    def publisher(self) -> HttpPublisher:
        return Publisher.http(self.settings.ingest_url, token=mint(self.settings, sub="tests", scope=PUBLISH))

    def subscriber(self, user: str) -> Subscriber:
        return Subscriber(self.settings.gateway_urls, token=mint(self.settings, sub=user, scope=SUBSCRIBE))

    async def health(self, name: str) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
            return await http.get(f"http://127.0.0.1:{self.admin[name]}/healthz/ready")


@asynccontextmanager
async def services(
    settings: Settings, stderr_of: Callable[[str], int], env: Mapping[str, str]
) -> AsyncGenerator[Services]:
    """Services that are ready, each with a descriptor of the test's as its stderr. They are killed at the end."""
    ports = {"ingest": free_port(), "gateway": free_port()}
    own = msgspec.structs.replace(
        settings,
        ingest_url=f"http://127.0.0.1:{ports['ingest']}",
        gateway_url=f"http://127.0.0.1:{ports['gateway']}",
        safety_net_s=SAFETY_NET_S,
    )
    running = Services(own, {name: free_port() for name in ROLES})
    async with AsyncExitStack() as ending:
        for name, arguments in ROLES.items():
            its = {"CLARION_ADMIN_PORT": str(running.admin[name]), "CLARION_PORT": str(ports.get(name, 0))}
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "clarion.cli", *arguments),
                env={**os.environ, **env_of(own), **its, **env},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr_of(name),
            )
            ending.push_async_callback(_killed, process)
        for name in ROLES:
            await until(lambda name=name: is_ready(running.admin[name]), within_s=60)
        yield running


async def _killed(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
