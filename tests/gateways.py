"""Gateways that a test starts itself, and clients that speak to them without an SDK."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from clarion.settings import Settings
from tests import schema_checks
from tests.conftest import SAFETY_NET_S, UNTIL_S, until
from tests.subprocesses import Net, child, env_of, free_port, net_of

RESUME = '{"op":"resume","cursors":{},"since":null}'


@dataclass(frozen=True, slots=True)
class Own:
    """A gateway of the test's own; what it logs is in `log`."""

    settings: Settings
    process: psutil.Process
    log: Path

    @property
    def url(self) -> str:
        return self.settings.gateway_url

    async def net(self) -> Net:
        return await net_of(self.settings.admin_port)

    async def looked(self) -> Net:
        """What its safety net has done by the end of a look that began after this call and had somebody to ask about.

        For gateways with lanes and a receipts role behind them: without these nothing counts as emitted, or folded.
        """
        before, after = await self.net(), Net()

        async def again() -> bool:
            nonlocal after
            after = await self.net()
            return after.looks >= before.looks + 2 and after.asked > before.asked  # the next may have begun before

        await until(again)
        return after

    async def figures(self) -> dict[str, Any]:
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
            return (await http.get(f"http://127.0.0.1:{self.settings.admin_port}/health/metrics")).json()

    async def unready(self) -> list[str]:
        """Why it is not ready; empty when it is."""
        try:
            async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
                return (await http.get(f"http://127.0.0.1:{self.settings.admin_port}/healthz/ready")).json()["reasons"]
        except httpx2.TransportError:
            return ["no answer"]


@asynccontextmanager
async def gateway(settings: Settings, folder: Path, **changed: Any) -> AsyncGenerator[Own]:
    """A gateway under these settings that is ready, and is killed at the end of the block if it still runs."""
    port = free_port()
    own = msgspec.structs.replace(
        settings,
        port=port,
        admin_port=free_port(),
        gateway_url=f"http://127.0.0.1:{port}",
        safety_net_s=SAFETY_NET_S,
        **changed,
    )
    log = folder / f"gateway-{port}.log"
    async with child(("-m", "clarion.cli", "gateway"), env_of(own), log) as process:
        running = Own(own, process, log)

        async def ready() -> bool:
            return not await running.unready()

        await until(ready, 2 * UNTIL_S)  # an heir waits for a lease to end, which takes 20 s of a quiet machine
        yield running


@asynccontextmanager
async def wire(url: str, token: str, **options: Any) -> AsyncGenerator[ClientConnection]:
    subprotocols: Any = ["clarion.v1", f"bearer.{token}"]
    address = url.replace("http", "ws", 1) + "/v1/ws"
    async with connect(
        address, subprotocols=subprotocols, compression=None, ping_interval=None, max_size=2**20, **options
    ) as socket:
        yield socket


async def greeted(socket: ClientConnection) -> dict[str, Any]:
    """Say `resume` as a fresh client does; the server's hello."""
    await socket.send(RESUME)
    return await frame(socket, "hello")


async def frame(socket: ClientConnection, op: str) -> dict[str, Any]:
    """The next frame of this kind; others are passed over."""
    async with asyncio.timeout(20):
        while True:
            got = json.loads(await socket.recv())
            schema_checks.check(got)
            if got["op"] == op:
                return got


async def close_code(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(20):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None
