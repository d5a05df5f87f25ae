"""A Clarion process: its event loop, logs, admin port and signals, and its end, which comes within a bounded time."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
import uvloop

from clarion.settings import Settings, SettingsError
from clarion.telemetry.health import Health
from clarion.telemetry.logs import logging_to
from clarion.telemetry.loop_delay import LoopDelay
from clarion.telemetry.monitor import Monitor
from clarion.web.admin import serve_admin

log = structlog.get_logger()

# Kubernetes' grace period is 45 s, of which preStop takes 5. A process that hangs in its shutdown is ended before that.
EXIT_WITHIN_S: Final = 35.0

_WRITE_LOGS_S: Final = 2.0  # how long the logs may take when the process leaves at once

# A window makes thousands of objects and no cycles. At Python's threshold of 700, garbage collection took a fifth of a
# lane's time.
_YOUNG_OBJECTS: Final = 100_000


class Stopped(Exception):
    """Raised in a main that is told to stop before it has started. The process ends cleanly."""


@dataclass(slots=True)
class Process:
    """What a service's main receives. The main returns when `stopping` is set and its work is put away."""

    settings: Settings
    health: Health
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    write_logs: Callable[[], None] = lambda: None  # blocks until all that was logged is written
    loop_delay: LoopDelay = field(default_factory=LoopDelay)

    def stop(self) -> None:
        """Tell the main to stop, and make the process not ready."""
        self.health.draining = True
        self.stopping.set()


T = TypeVar("T")

Main = Callable[[Process], Awaitable[None]]


def run(service: str, main: Main, settings: Settings) -> None:
    """Run `main` until SIGTERM or SIGINT, then exit. Does not return, but raises `SettingsError`.

    The exit code is 0 after a clean end. It is 1 after a failure, after a second signal, and when the end takes longer
    than `EXIT_WITHIN_S`.
    """
    exporting = _exporting(service, settings)
    gc.freeze()  # what is imported stays until the end: garbage collection need not look at it
    gc.set_threshold(_YOUNG_OBJECTS)
    with logging_to(service=service, level=settings.log_level) as write_logs, exporting:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(Process(settings, Health(service), write_logs=write_logs), main))
            code = 0
        except BaseException as error:
            log.critical("the process failed", exc_info=error)
            code = 1
    # not sys.exit: neither a library's forgotten non-daemon thread nor a log that nobody reads, which the interpreter
    # would flush, must keep a finished process alive
    os._exit(code)


def _exporting(service: str, settings: Settings) -> AbstractContextManager[None]:
    """Return what exports spans and metrics, if the settings name a collector. Raise `SettingsError` if it cannot."""
    if not settings.otlp_endpoint:
        return nullcontext()
    try:
        from clarion.telemetry.otel.export import exporting
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise SettingsError(
            f"CLARION_OTLP_ENDPOINT is set, but {error.name} is not installed: pip install 'clarion[otel]', or unset it"
        ) from error
    return exporting(settings, service)


async def _run(process: Process, main: Main) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, _on_signal, process)
    settings = process.settings
    log.info("the process starts", pid=os.getpid(), settings=repr(settings))
    try:
        async with asyncio.TaskGroup() as tasks:
            process.health.figures.append(process.loop_delay.figures)
            beside = [
                tasks.create_task(serve_admin(process.health, settings.host, settings.admin_port), name="admin"),
                tasks.create_task(process.loop_delay.watch(), name="loop delay"),
                tasks.create_task(_monitored(process.health), name="monitor"),
            ]
            try:
                await main(process)
            finally:
                process.stop()
                _watchdog(process)
                for task in beside:
                    task.cancel()
    except* Stopped:
        pass  # the main was told to stop while it was waiting for something
    log.info("the process has stopped")


async def _monitored(health: Health) -> None:
    """Have the performance monitor judge this process until cancelled."""
    monitor = Monitor()
    health.findings.append(monitor.reasons)
    health.figures.append(monitor.figures)
    await monitor.run()


async def unless_stopping(process: Process, work: Awaitable[T]) -> T:
    """Await `work` and return its result. If the process is told to stop first, cancel `work` and raise `Stopped`."""
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
    """Await what has to end before the process does. Return False, and log it, when that fails or is late.

    No error is raised, so that the rest of the process still ends in order.
    """
    try:
        async with asyncio.timeout(seconds):
            await ending
    except Exception as error:  # noqa: BLE001 - a process that is ending puts away what it can
        log.warning("a step of the shutdown failed or was late", what=what, error=repr(error))
        return False
    return True


def _on_signal(process: Process) -> None:
    if process.stopping.is_set():
        _leave_at_once(
            process, "a second signal came: the process leaves at once, and work in hand is done again later"
        )
    log.info("a signal came: the process is draining, and ends when its work is done")
    process.stop()
    _watchdog(process)


def _watchdog(process: Process) -> None:
    """End the process from a thread of its own, which works even when the event loop hangs."""
    late = (
        f"the end takes more than {EXIT_WITHIN_S:g} s: the process leaves at once, and work in hand is done again later"
    )
    timer = threading.Timer(EXIT_WITHIN_S, _leave_at_once, [process, late])
    timer.daemon = True
    timer.start()


def _leave_at_once(process: Process, why: str) -> None:
    """Exit with code 1, as after a failure: work in hand is not put away, and is done again after a restart.

    The logs have `_WRITE_LOGS_S`, since a log that nobody reads must not delay the exit.
    """
    log.warning(why)
    writing = threading.Thread(target=process.write_logs, daemon=True)
    writing.start()
    writing.join(_WRITE_LOGS_S)
    os._exit(1)
