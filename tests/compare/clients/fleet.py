"""One process of devices, from outside: starts it, tells it what to do, and keeps what it tells."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, cast

import msgspec

from tests.compare.clients.lines import Do, Ended, Got, Kept, Live, Received, Told

LIVE_WITHIN_S: Final = 60.0
_LINE_BYTES: Final = 64 * 1024


@dataclass(slots=True)
class Fleet:
    """Devices that run in one process. `on_got` is called with every notification that an application is handed."""

    on_got: Callable[[Got], None]
    on_ended: Callable[[Ended], None]
    on_kept: Callable[[Kept], None]
    live: set[str] = field(default_factory=set[str])
    received_bytes: int = 0
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)  # what is told before comes in one burst
    _process: asyncio.subprocess.Process | None = None

    def tell(self, do: Literal["connect", "leave", "cut"], user: str, position: str | None = None) -> None:
        """Tell a user's device what to do."""
        if do != "connect":
            self.live.discard(user)
        stdin = cast("asyncio.StreamWriter", self._running.stdin)
        stdin.write(msgspec.json.encode(Do(do, user, position)) + b"\n")

    async def connected(self, users: Collection[str]) -> None:
        """Wait until all of these are live. Raise TimeoutError."""
        async with asyncio.timeout(LIVE_WITHIN_S):
            while not self.live.issuperset(users):
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        """Freeze the process: its sockets stay open, and nobody reads or answers."""
        self._running.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let a process go on that was frozen."""
        self._running.send_signal(signal.SIGCONT)

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("this fleet has not been started")
        return self._process

    async def _listen(self) -> None:
        stdout = cast("asyncio.StreamReader", self._running.stdout)
        decode = msgspec.json.Decoder(Told).decode
        async for line in stdout:
            match decode(line):
                case Got() as got:
                    self.on_got(got)
                case Kept() as kept:
                    self.on_kept(kept)
                case Live(user):
                    self.live.add(user)
                case Ended() as ended:
                    self.live.discard(ended.user)
                    self.on_ended(ended)
                case Received(count):
                    self.received_bytes = count
                    self.is_ready.set()


@asynccontextmanager
async def running(
    command: Sequence[str],
    env: Mapping[str, str],
    log: Path,
    on_got: Callable[[Got], None],
    on_ended: Callable[[Ended], None],
    on_kept: Callable[[Kept], None],
) -> AsyncGenerator[Fleet]:
    """Run a fleet as long as the block does. A fleet that ends by itself fails the block at its end."""
    fleet = Fleet(on_got, on_ended, on_kept)
    with log.open("ab") as said:
        pipe = asyncio.subprocess.PIPE
        fleet._process = process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=said, env={**os.environ, **env}, limit=_LINE_BYTES
        )
        listening = asyncio.create_task(fleet._listen())
        try:
            async with asyncio.timeout(LIVE_WITHIN_S):
                await fleet.is_ready.wait()
            yield fleet
            if process.returncode is not None:
                raise RuntimeError(f"the devices of {log.stem} have ended with {process.returncode}: see {log}")
        finally:
            if process.returncode is None:
                process.kill()  # one that is frozen would hand out what its sockets have, if it could go on
                await process.wait()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
