"""Processes under the supervisor of the local stack: what is killed is started again, as in Clarion's arm."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2

from deploy.local.child import Child
from deploy.local.servers import mongodb
from deploy.local.servers.ports import is_free

_READY_WITHIN_S: Final = 60.0
_STOP_WITHIN_S: Final = 20.0
_POLL_S: Final = 0.05


@dataclass(slots=True)
class Supervised:
    """Processes, by name, in the order in which they were started."""

    folder: Path
    report: Callable[[str], None]
    children: dict[str, Child] = field(default_factory=dict[str, Child])
    _runs: list["asyncio.Task[None]"] = field(default_factory=list["asyncio.Task[None]"])

    @property
    def logs(self) -> Path:
        """Return the folder of the logs."""
        return self.folder / "logs"

    def log(self, name: str) -> Path:
        """Return the path of a process's log."""
        return self.logs / f"{name}.log"

    async def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str], is_ready: Callable[[], Awaitable[bool]]
    ) -> None:
        """Start a process, and wait until it is ready. Raise RuntimeError when it does not start in time."""
        log = self.log(name)
        child = self.children[name] = Child(name, command, env, log, self._changed)
        run = asyncio.create_task(child.run(), name=name)
        self._runs.append(run)
        began = time.monotonic()
        while not await is_ready():
            if child.failures or run.done() or time.monotonic() - began > _READY_WITHIN_S:
                raise RuntimeError(f"{name} does not start; the end of its log:\n{child.tail()}")
            await asyncio.sleep(_POLL_S)

    async def start_mongodb(self, port: int) -> None:
        """Start mongod as the local stack does, with the same options."""
        (data := self.folder / "mongodb").mkdir()
        command = mongodb.command(data, port)
        await self.start("mongodb", command, {}, lambda: asyncio.to_thread(mongodb.is_ready, port))

    async def stop(self) -> None:
        """End all, those first that were started last."""
        for child in reversed(self.children.values()):
            await child.stop(_STOP_WITHIN_S)
        for run in self._runs:
            run.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)

    def _changed(self, _: Child, what: str) -> None:
        if what:
            self.report(what)


@asynccontextmanager
async def supervised(folder: Path, report: Callable[[str], None]) -> AsyncGenerator[Supervised]:
    """Processes that end with the block, whatever ends it."""
    found = Supervised(folder, report)
    found.logs.mkdir()
    try:
        yield found
    finally:
        await found.stop()


async def listens(port: int) -> bool:
    """Return whether somebody listens on a port."""
    return not is_free(port)


async def answers(url: str) -> bool:
    """Return whether a GET of `url` succeeds."""
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=2) as http:
            return (await http.get(url)).is_success
    except httpx2.TransportError:
        return False


async def number(url: str, name: str) -> int:
    """Return a number of a JSON object that is served at `url`."""
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        return int((await http.get(url)).json()[name])


def lines_with(mark: bytes, logs: Sequence[Path]) -> int:
    """Return how many lines of these logs have the mark."""
    return sum(line.count(mark) > 0 for log in logs if log.exists() for line in log.read_bytes().splitlines())
