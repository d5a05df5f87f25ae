"""Run a role's Faust app and its pipeline from start to an orderly end, and again when the topic has grown."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Final, TypeVar

import structlog

from clarion.process import Process, unless_stopping, within
from services.stream.engine.checkpoints import Grown, Outdated
from services.stream.engine.faust_app import FaustSource
from services.stream.engine.pipeline import Pipeline

log = structlog.get_logger()

STOP_S: Final = 15.0

T = TypeVar("T")


async def again_when_grown(run: Callable[[], Awaitable[None]]) -> None:
    """Run a role, and run it again in this process each time its topic has grown.

    A process that is started anew would take seconds longer.
    """
    while True:
        try:
            return await run()
        except* Grown as grown:
            log.info(
                "the topic has grown, and the role starts again with all its partitions",
                reason=repr(grown.exceptions[0]),
            )


async def consume(process: Process, pipeline: Pipeline, source: FaustSource) -> None:
    """Run the role's app until the process is told to stop, then finish what is in hand and commit it.

    When the topic has grown, end in the same way and raise `Grown`. Raise any other failure at once.
    """
    app = source.open(pipeline)
    working = asyncio.create_task(pipeline.run(), name="pipeline")
    watching = asyncio.create_task(source.checkpoints.watch(), name="checkpoints")
    stopping = asyncio.create_task(process.stopping.wait())
    stopped = asyncio.create_task(app.wait_until_stopped())
    tasks = [working, watching, stopping, stopped]
    try:
        with _told(process, pipeline, source), fails_when(process, pipeline.stuck):
            await unless_stopping(process, app.start())
            process.health.started = True
            log.info("the role consumes its topic", topic=source.topic)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if app.crash_reason:
                raise app.crash_reason
            if working.done():
                await working
            grown = watching.exception() if watching.done() else None
            if grown and not isinstance(grown, Grown):
                raise grown
            # The flow is not stopped: Faust would seek, and a seek forgets what is about to be acknowledged.
            pipeline.close()
            await pipeline.drain()
    finally:
        has_ended = await within(STOP_S, app.stop(), "app")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=STOP_S)
    if grown:
        raise grown if has_ended else Outdated(f"{grown}, and the app did not stop in time")


@contextmanager
def fails_when(process: Process, stuck: Callable[[], str]) -> Generator[None]:
    """Report what `stuck` returns as a failure of the process while the block runs.

    A failure has the process restarted, so nothing is reported while a server is away or refuses what it is sent: the
    process waits for that server, and a restart would mend nothing.
    """
    health = process.health
    with _among(health.failures, lambda: "" if health.down() or health.troubled() else stuck()):
        yield


@contextmanager
def _told(process: Process, pipeline: Pipeline, source: FaustSource) -> Generator[None]:
    """Add the pipeline's and the source's state to the health report while the block runs."""
    health = process.health
    with (
        _among(health.figures, pipeline.figures),
        _among(health.troubles, source.waiting),
        _among(health.changes, source.checkpoints.growing),
    ):
        yield


@contextmanager
def _among(them: list[T], one: T) -> Generator[None]:
    """Keep `one` in the list `them` while the block runs."""
    them.append(one)
    try:
        yield
    finally:
        them.remove(one)
