"""Gateways of a fault run: each has an address for good, whichever process serves it."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
import psutil

from tests.faults.stream.workers import END_S, LOGS, START_S
from tests.subprocesses import Net, free_port, net_of

_POLL_S: Final = 0.05
# said by a process in which something went wrong that nobody foresaw
_BROKEN: Final = ("a connection's task failed", "process failed", "Traceback", "exception was never retrieved")


@dataclass(slots=True)
class Gateway:
    """`env` is that of its processes; `ends` counts those that ended without being told to."""

    env: Mapping[str, str]
    port: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return LOGS / f"gateway-{self.port}.log"

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, **self.env, "CLARION_PORT": str(self.port), "CLARION_ADMIN_PORT": str(self.admin)}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "clarion.cli", "gateway"), env=env, stdout=log, stderr=log
            )

    async def ready(self) -> None:
        """Wait until it serves."""
        async with httpx2.AsyncClient(trust_env=False, timeout=2) as http, asyncio.timeout(START_S):
            while not await self._is_ready(http):
                if not self.is_alive:
                    raise RuntimeError(f"the gateway at {self.port} has ended by itself: see {self.log}")
                await asyncio.sleep(_POLL_S)

    async def _is_ready(self, http: httpx2.AsyncClient) -> bool:
        """It serves a mailbox: one without is ready as well while what it needs is down."""
        try:
            figures = await http.get(f"http://127.0.0.1:{self.admin}/health/metrics")
        except httpx2.TransportError:
            return False  # not listening yet, or paused
        return figures.json().get("mailbox") is not None  # without it the process has only begun

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code. Raises TimeoutError when it does not end in time."""
        assert self.process is not None
        async with asyncio.timeout(END_S):
            return await self.process.wait()

    async def kill(self) -> None:
        if self.is_alive:
            self.signal(signal.SIGKILL)
            await self.ended()

    def resident(self) -> int:
        """Bytes."""
        assert self.process is not None
        return psutil.Process(self.process.pid).memory_info().rss

    async def net(self) -> Net:
        """What its safety net has done; that of processes that were killed is not known."""
        return await net_of(self.admin)

    def broken(self) -> list[str]:
        """What it said that a gateway must not say."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return [line for line in lines if any(sign in line for sign in _BROKEN)]
