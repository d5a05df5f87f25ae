"""The servers a gateway bench compares, each as a process of its own, and the sockets it opens to them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx2
import psutil

from clarion.settings import Settings
from tests.bench.gateway.clients import Board, Count
from tests.subprocesses import child, free_port

ARMS: Final = {
    "gateway": ["-m", "clarion.cli", "gateway"],
    "uvicorn": ["-m", "tests.bench.gateway.plain"],
}
READY_WITHIN_S: Final = 60.0
PER_SECOND: Final = 400.0  # connects, below what a gateway takes
CONNECTED_WITHIN_S: Final = 600.0  # 18,000 on a busy machine
# the default: where tests are imported it looks every 4 s, which was a third of an idle gateway's CPU
_SAFETY_NET_S: Final = str(Settings().safety_net_s)
_POLL_S: Final = 0.005
_QUIET_POLL_S: Final = 0.05


class Lost(Exception):
    """Something was not received once, or not acknowledged: no figure counts then."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds in the process itself, and in the kernel for it: half of a lean server's time is the kernel's."""

    user_s: float
    kernel_s: float

    @property
    def all_s(self) -> float:
        return self.user_s + self.kernel_s

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.user_s + other.user_s, self.kernel_s + other.kernel_s)

    def since(self, before: "Cpu") -> "Cpu":
        return Cpu(self.user_s - before.user_s, self.kernel_s - before.kernel_s)


@dataclass(frozen=True, slots=True)
class Arm:
    """A running server; `admin` is 0 where there is none."""

    process: psutil.Process
    port: int
    admin: int
    mailbox: int

    def cpu(self) -> Cpu:
        used = self.process.cpu_times()
        return Cpu(used.user, used.system)

    async def is_quiet(self) -> bool:
        """Nobody waits for what the store holds."""
        return not self.admin or (await _figures(self.admin))["catching_up"] == 0


@asynccontextmanager
async def serving(name: str, env: Mapping[str, str], mailbox: int = 0) -> AsyncGenerator[Arm]:
    """A server of its own; a plain one reads `mailbox`, and a gateway the one that it gets."""
    port, admin = free_port(), free_port() if name == "gateway" else 0
    own = {**env, "CLARION_PORT": str(port), "CLARION_ADMIN_PORT": str(admin), "CLARION_SAFETY_NET_S": _SAFETY_NET_S}
    command = ARMS[name] if admin else [*ARMS[name], str(mailbox)]
    async with child(command, own) as process:
        leased = await _leased(process, port, admin)
        yield Arm(process, port, admin, mailbox if leased is None else leased)


@asynccontextmanager
async def connecting(
    arm: Arm, sockets: int, env: Mapping[str, str], per_second: float, returning: tuple[int, str] | None = None
) -> AsyncGenerator[Board]:
    """That many users begin to connect, with a socket each; at the end of the block all are cut at once.

    `returning`: after which ordinal they resume, and since when.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "board"
        board = Board.new(path)
        arguments = [str(path), str(arm.port), str(sockets), str(per_second), *map(str, returning or ())]
        command = ["-m", "tests.bench.gateway.clients", *arguments]
        async with child(command, env):
            yield board


@asynccontextmanager
async def connected(arm: Arm, sockets: int, env: Mapping[str, str]) -> AsyncGenerator[Board]:
    """That many users with a socket each, all greeted, and nobody catching up any more."""
    async with connecting(arm, sockets, env, PER_SECOND) as board:
        await counted(arm, board, Count.GREETED, sockets, CONNECTED_WITHIN_S)
        async with asyncio.timeout(CONNECTED_WITHIN_S):
            while not await arm.is_quiet():
                await asyncio.sleep(_QUIET_POLL_S)
        yield board
        if board[Count.LOST]:
            raise Lost(f"{board[Count.LOST]} sockets were lost")


async def counted(arm: Arm, board: Board, what: Count, number: int, within_s: float) -> float:
    """Wait until the board tells so many; the seconds that took. Raises Lost."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(within_s):
            while board[what] < number:
                watch(arm.process)
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise Lost(f"{what.name.lower()}: {board[what]:,} of {number:,}") from error
    return time.perf_counter() - began


def watch(process: psutil.Process) -> None:
    if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
        raise RuntimeError(f"process {process.pid} has ended before its work was done")


async def _leased(process: psutil.Process, port: int, admin: int) -> int | None:
    """Wait until the server serves; return which mailbox it has leased, and None for a plain one."""
    began = time.monotonic()
    while time.monotonic() - began < READY_WITHIN_S:
        watch(process)
        await asyncio.sleep(_QUIET_POLL_S)
        try:
            if not admin:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return None
            found = (await _figures(admin))["mailbox"]
        except (OSError, httpx2.TransportError):
            continue
        if found is not None:
            return int(found)
    raise TimeoutError(f"not ready within {READY_WITHIN_S:g} s")


async def _figures(admin: int) -> dict[str, Any]:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        return (await http.get(f"http://127.0.0.1:{admin}/health/metrics")).json()
