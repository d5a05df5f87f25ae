"""Lane workers of the harness: each with an admin port of its own, to see its first window and its readiness."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from clarion.contracts.lanes import Lane
from tests.subprocesses import free_port

LOGS: Final = Path("build/faults")  # of each worker, by its port
START_S: Final = 60.0
END_S: Final = 40.0
_POLL_S: Final = 0.05


@dataclass(slots=True)
class Worker:
    process: asyncio.subprocess.Process
    port: int
    lane: Lane

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    async def first_window(self) -> bool:
        """Wait until it has begun a window; False when it ended before."""
        async with httpx2.AsyncClient(trust_env=False, timeout=2) as http, asyncio.timeout(START_S):
            while self.is_alive:
                if await self._windows(http) > 0:
                    return True
                await asyncio.sleep(_POLL_S)
        return False

    async def _windows(self, http: httpx2.AsyncClient) -> float:
        name = f'clarion_window_items_count{{lane="{self.lane}"}} '
        try:
            text = (await http.get(f"http://127.0.0.1:{self.port}/metrics")).text
        except httpx2.HTTPError:
            return 0.0  # not listening yet, or paused
        return next((float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name)), 0.0)

    def kill(self) -> None:
        if self.is_alive:
            self.process.kill()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code. Raises TimeoutError when it does not end in time."""
        async with asyncio.timeout(END_S):
            return await self.process.wait()


async def start(env: Mapping[str, str], lane: Lane) -> Worker:
    port = free_port()
    LOGS.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-m", "clarion.cli", "stream", "--role", "lane", "--lane", lane)
    with (LOGS / f"worker-{port}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **env, "CLARION_ADMIN_PORT": str(port)}, stdout=log, stderr=log
        )
    return Worker(process, port, lane)
