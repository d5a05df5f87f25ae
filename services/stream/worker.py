"""A stream process of one role: its connections, its work, its Faust app, and the order in which they end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.process import Process, Stopped
from clarion.resilience.backoff import retry
from clarion.store import database, indexes
from clarion.store.database import Database
from clarion.telemetry.health import watch
from services.stream.app import make_app
from services.stream.lane import LaneWork
from services.stream.pipeline import Pipeline, Work
from services.stream.receipts import ReceiptsWork
from services.stream.scheduler import Scheduler
from services.stream.windows import POLICIES, RECEIPTS_POLICY, WindowPolicy

log = structlog.get_logger()

STOP_S = 15.0


async def run_lane(process: Process, lane: Lane) -> None:
    settings, names = process.settings, Names(process.settings.prefix)
    async with _connected(process) as (stored, producer):
        work = LaneWork(lane, settings.generation, names, stored, producer)
        await _consume(process, lane, names.notifications(lane), POLICIES[lane], work)


async def run_receipts(process: Process) -> None:
    names = Names(process.settings.prefix)
    async with _connected(process) as (stored, producer):
        work = ReceiptsWork(names, stored, producer)
        await _consume(process, "receipts", names.receipts, RECEIPTS_POLICY, work)


async def run_scheduler(process: Process) -> None:
    async with _connected(process) as (stored, producer):
        process.health.started = True
        await _until_stopping(process, Scheduler(Names(process.settings.prefix), stored, producer).run())


@asynccontextmanager
async def _connected(process: Process) -> AsyncGenerator[tuple[Database, AIOKafkaProducer]]:
    """MongoDB with its indexes and a started producer; waits for both servers, and watches them while it is open."""
    settings, health = process.settings, process.health
    stored = database.connect(settings)
    producer = clients.producer(settings)
    async with asyncio.TaskGroup() as tasks:
        watches = [tasks.create_task(watch(health.dependency("mongodb"), lambda: database.probe(stored)))]
        try:
            await _unless_stopping(process, retry(lambda: indexes.ensure(stored), "mongodb", *database.TRANSIENT))
            await _unless_stopping(process, retry(producer.start, "kafka", *clients.SEND_ERRORS))
            watches.append(tasks.create_task(watch(health.dependency("kafka"), lambda: clients.probe(producer))))
            yield stored, producer
        finally:
            for task in watches:
                task.cancel()
            await _within(STOP_S, producer.stop(), "producer")
            database.close(stored)


async def _consume(process: Process, role: str, topic: str, policy: WindowPolicy, work: Work) -> None:
    """Run the role's Faust app and its pipeline until told to stop, then finish what is in hand and commit it."""
    pipeline = Pipeline(role, policy, work)
    process.health.failures.append(lambda: "" if process.health.down() else pipeline.stuck())
    app = make_app(process.settings, Names(process.settings.prefix).group(role), topic, pipeline, policy.max_records)
    app.finalize()
    working = asyncio.create_task(pipeline.run(), name="pipeline")
    try:
        await app.start()
        process.health.started = True
        log.info("consuming", topic=topic)
        await _first(process.stopping.wait(), app.wait_until_stopped(), asyncio.wait([working]))
        if app.crash_reason:
            raise app.crash_reason
        if working.done():
            await working
        # not by stopping the flow: that makes Faust seek, and a seek forgets what is about to be acknowledged
        pipeline.close()
        await pipeline.drain()
    finally:
        await _within(STOP_S, app.stop(), "app")
        working.cancel()


async def _until_stopping(process: Process, work: Awaitable[None]) -> None:
    """Run `work`, which never ends by itself, until the process is told to stop."""
    await _first(process.stopping.wait(), work)


async def _unless_stopping(process: Process, work: Awaitable[object]) -> None:
    await _first(process.stopping.wait(), work)
    if process.stopping.is_set():
        raise Stopped


async def _first(*awaitables: Awaitable[object]) -> None:
    """Wait for the first to end, cancel the others; a failure of it comes out."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


async def _within(seconds: float, ending: Awaitable[object], what: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            await ending
    except TimeoutError:
        log.warning("did not stop in time", what=what, seconds=seconds)
