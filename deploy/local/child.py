"""Run one process of the stack: start it, watch it, start it again with backoff when it dies, end it in time."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from clarion.resilience.backoff import Backoff

RESTART: Final = Backoff(base_s=0.2, cap_s=10.0)
HEALTHY_S: Final = 30.0  # a process that has lived this long is started again quickly
LOG_BYTES: Final = 10 * 1024 * 1024
LOOK_FOR_ROOM_S: Final = 1.0
_TETHER: Final = str(Path(__file__).with_name("tether.py"))


class Child:
    """A process of the stack that is kept running.

    `on_change` is called with every start and every unexpected end, and with a line for a person ("" for a start). The
    process is not started again before `has_room`: on a full disk it would only end again, and log why each time.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        on_change: Callable[["Child", str], None],
        folder: Path | None = None,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.failures = 0  # unexpected ends since it last lived longer than HEALTHY_S
        self._command = command
        self._env = env
        self._log = log
        self._on_change = on_change
        self._folder = folder  # its working directory
        self._has_room = has_room
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """Return the id of the process; None while it does not run."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def run(self) -> None:
        """Keep the process running until `stop`."""
        while not self._stopping:
            started = time.monotonic()
            try:
                process = self._process = await self._spawn()
            except OSError as error:  # such as on a full disk, where its log cannot be opened
                ended = f"could not be started ({error})"
            else:
                self._on_change(self, "")
                ended = describe(await process.wait())
            if self._stopping:
                return
            self.failures = 0 if time.monotonic() - started > HEALTHY_S else self.failures + 1
            delay = RESTART.delay(self.failures)
            when = f"in {delay:.1f} s" if self._has_room() else "once there is room"
            self._on_change(self, f"{self.name} {ended}; it is started again {when}")
            await asyncio.sleep(delay)
            while not self._stopping and not self._has_room():
                await asyncio.sleep(LOOK_FOR_ROOM_S)
            self.restarts += 1

    async def _spawn(self) -> asyncio.subprocess.Process:
        _rotate(self._log)
        command = list(self._command)
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", _TETHER, str(os.getpid()), *command]
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**os.environ, **self._env},
                start_new_session=True,  # Ctrl-C is for the supervisor, which ends its children in order
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        if self.pid is not None:
            os.kill(self.pid, number)

    async def stop(self, within_s: float) -> None:
        """End the process by SIGTERM, or by SIGKILL when it has not ended within `within_s` seconds.

        SIGCONT comes first, since a process that was stopped by SIGSTOP handles no SIGTERM.
        """
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await process.wait()

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of its log."""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def describe(code: int) -> str:
    """Return, in words, how a process ended. A negative `code` names a signal, as `asyncio` has it."""
    if code >= 0:
        return f"ended with code {code}"
    return f"was ended by {signal.Signals(-code).name}"


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
