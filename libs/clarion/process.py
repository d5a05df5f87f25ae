"""A Clarion process: its loop, logs, admin port, signals, and an end that comes in bounded time whatever happens."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
import uvloop

from clarion.settings import Settings
from clarion.telemetry.health import Health
from clarion.telemetry.logs import logging_to
from clarion.web.admin import serve_admin

log = structlog.get_logger()

# Kubernetes' grace is 45 s with 5 s of preStop; a process that hangs in its shutdown is better dead than stuck.
EXIT_WITHIN_S: Final = 35.0

_WRITE_LOGS_S: Final = 2.0  # on leaving at once

# A window makes thousands of objects and no cycles: at Python's 700, collecting took a fifth of a lane's time.
_YOUNG_OBJECTS: Final = 100_000


class Stopped(Exception):
    """Raised by a main that was told to stop before it had started: a clean end."""


@dataclass(slots=True)
class Process:
    """What a service's main receives. It returns when `stopping` is set and its work is put away."""

    settings: Settings
    health: Health
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    write_logs: Callable[[], None] = lambda: None  # blocks until all that was logged is written

    def stop(self) -> None:
        self.health.draining = True
        self.stopping.set()


T = TypeVar("T")

Main = Callable[[Process], Awaitable[None]]


def run(service: str, main: Main, settings: Settings) -> None:
    """Run `main` until SIGTERM or SIGINT; exit code 0 after a clean end. Does not return.

    1 after a failure, after a second signal, and when the end takes longer than EXIT_WITHIN_S.
    """
    gc.freeze()  # what is imported stays for ever: not to be looked at in each collection
    gc.set_threshold(_YOUNG_OBJECTS)
    with logging_to(service=service, level=settings.log_level) as write_logs:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(Process(settings, Health(service), write_logs=write_logs), main))
            code = 0
        except BaseException as error:
            log.critical("process failed", exc_info=error)
            code = 1
    with suppress(OSError):  # a full disk takes no last words
        sys.stderr.flush()
    # not sys.exit: a library's forgotten non-daemon thread must not keep a finished process alive
    os._exit(code)


async def _run(process: Process, main: Main) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, _on_signal, process)
    settings = process.settings
    log.info("starting", pid=os.getpid(), settings=repr(settings))
    try:
        async with asyncio.TaskGroup() as tasks:
            admin = tasks.create_task(serve_admin(process.health, settings.host, settings.admin_port), name="admin")
            try:
                await main(process)
            finally:
                process.stop()
                _watchdog(process)
                admin.cancel()
    except* Stopped:
        pass  # told to stop while it was waiting for something
    log.info("stopped")


async def unless_stopping(process: Process, work: Awaitable[T]) -> T:
    """Await `work`, unless the process is told to stop first: then `Stopped` is raised and `work` is cancelled."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(process.stopping.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        return working.result()
    finally:
        working.cancel()
        stopping.cancel()


async def within(seconds: float, ending: Awaitable[object], what: str) -> bool:
    """Await something that ends on the way out: late or failed, it is told, and must not stop the rest."""
    try:
        async with asyncio.timeout(seconds):
            await ending
    except Exception as error:  # noqa: BLE001 - a process that is ending puts away what it can
        log.warning("not done on the way out", what=what, error=repr(error))
        return False
    return True


def _on_signal(process: Process) -> None:
    if process.stopping.is_set():
        _leave_at_once(process, "second signal: leaving at once, with work in hand")
    log.info("signal: draining")
    process.stop()
    _watchdog(process)


def _watchdog(process: Process) -> None:
    """End the process from a thread of its own, which works even when the event loop hangs."""
    late = f"not ended within {EXIT_WITHIN_S:g} s: leaving at once, with work in hand"
    timer = threading.Timer(EXIT_WITHIN_S, _leave_at_once, [process, late])
    timer.daemon = True
    timer.start()


def _leave_at_once(process: Process, why: str) -> None:
    """Exit with 1, as after a failure: what was in hand is not put away, and is done again after a restart.

    A log that nobody reads must not hold it up.
    """
    log.warning(why)
    writing = threading.Thread(target=process.write_logs, daemon=True)
    writing.start()
    writing.join(_WRITE_LOGS_S)
    os._exit(1)
