"""A stream process of one role: its connections, its work, its Faust app, and the order in which they end."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.process import Process, unless_stopping, within
from clarion.resilience.backoff import retry
from clarion.resilience.gcra import RateLimit
from clarion.resilience.latency_limit import Gate, VegasLimit
from clarion.settings import SettingsError
from clarion.store import database, indexes, mailboxes, scheduled, topics
from clarion.store.database import Database
from clarion.store.topics import Known
from clarion.telemetry.health import watch
from services.stream.app import make_app
from services.stream.bookmarks import Bookmarks, Outdated
from services.stream.endings import Endings
from services.stream.holding import Holding
from services.stream.lane import LaneWork
from services.stream.pipeline import Pipeline, Work
from services.stream.reach import Reach
from services.stream.receipts import ReceiptsWork
from services.stream.releasing import Releasing
from services.stream.throttling import Throttling
from services.stream.urgent import UrgentWork
from services.stream.windows import POLICIES, RECEIPTS_POLICY, SCHEDULER_POLICY, WindowPolicy

log = structlog.get_logger()

STOP_S = 15.0
_URGENT_WAITS_S: Final = 3.0  # for MongoDB, at its start
# Where lanes share a machine's cores, the scheduler keeps their order of importance, too.
_NICE: Final = {Lane.URGENT: 0, Lane.HIGH: 3, Lane.NORMAL: 6, Lane.LOW: 9}


async def run_lane(process: Process, lane: Lane) -> None:
    settings, names = process.settings, Names(process.settings.prefix)
    async with _connected(process, wait_for_mongodb=lane is not Lane.URGENT) as (stored, producer):
        topic = names.notifications(lane)
        await _check_partitions(process, producer, topic, settings.partitions_lane)
        bookmarks = _bookmarks(process, stored, producer, topic, lane)
        settling = asyncio.ensure_future(bookmarks.settle())
        generation = await _generation(process, lane, settling)
        os.nice(_NICE[lane])
        gate = None if lane is Lane.URGENT else Gate(VegasLimit(settings.windows_in_flight))
        limited = lane is not Lane.URGENT and settings.recipient_rate > 0
        limit = Throttling(RateLimit(settings.recipient_rate, settings.recipient_burst)) if limited else None
        work = LaneWork(lane, generation, settings.partitions_lane, names, stored, producer, gate, limit)
        if lane is Lane.URGENT:
            work.confirmed = partial(_confirm, settling, generation)
            try:
                await _run_urgent(process, work, bookmarks)
            finally:
                settling.cancel()
        else:
            await _consume(process, _pipeline(process, lane, POLICIES[lane], work), topic, bookmarks)


def _bookmarks(process: Process, stored: Database, producer: AIOKafkaProducer, topic: str, role: str) -> Bookmarks:
    group = Names(process.settings.prefix).group(role)
    return Bookmarks(process.settings, topics.collection(stored), topic, group, producer.client)


async def _generation(process: Process, lane: Lane, settling: "asyncio.Future[Known]") -> int:
    """The topic's. Urgent does not wait long for it: what goes live without MongoDB needs no generation."""
    if lane is Lane.URGENT:
        await unless_stopping(process, asyncio.wait([settling], timeout=_URGENT_WAITS_S))
        return settling.result().generation if settling.done() else process.settings.generation
    return (await unless_stopping(process, settling)).generation


async def _confirm(settling: "asyncio.Future[Known]", generation: int) -> None:
    """Before anything is stored. Raises `Outdated` when a lane that began without MongoDB guessed wrong."""
    known = await asyncio.shield(settling)
    if known.generation != generation:
        raise Outdated(f"{known.topic} has generation {known.generation}, this lane began with {generation}")


async def _run_urgent(process: Process, lane: LaneWork, bookmarks: Bookmarks) -> None:
    """Twice the windows of another lane: as many as wait for MongoDB may go live meanwhile."""
    places = process.settings.windows_in_flight
    reach = Reach(mailboxes.collection(lane.database), process.settings.partitions_deliveries)
    work = UrgentWork(lane, places, reach.mailboxes)
    pipeline = Pipeline(Lane.URGENT, POLICIES[Lane.URGENT], work, windows_in_flight=2 * places)
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(reach.run())
        await _consume(process, pipeline, lane.names.notifications(Lane.URGENT), bookmarks)
        looking.cancel()


async def _check_partitions(process: Process, producer: AIOKafkaProducer, topic: str, declared: int) -> None:
    """Raises `SettingsError`: with another count than the topic has, every record would seem to be astray."""
    found = await unless_stopping(process, _partitions(producer, topic))
    if len(found) != declared:
        raise SettingsError(
            f"{topic} has {len(found)} partitions, CLARION_PARTITIONS_LANE is {declared}: "
            "set it to the broker's, or see `clarion topics check`"
        )


async def _partitions(producer: AIOKafkaProducer, topic: str) -> set[int]:
    """Waits until the topic is there: Faust would wait, too, and say nothing of which one is missing."""

    async def ask() -> set[int]:
        try:
            return await producer.partitions_for(topic)
        except clients.SEND_ERRORS:
            log.warning("waiting for a topic: if nobody has made it, `clarion topics apply` does", topic=topic)
            raise

    return await retry(ask, "kafka", *clients.SEND_ERRORS)


async def run_receipts(process: Process) -> None:
    names = Names(process.settings.prefix)
    async with _connected(process) as (stored, producer):
        work = ReceiptsWork(names, stored, producer)
        await unless_stopping(process, _partitions(producer, names.receipts))
        bookmarks = _bookmarks(process, stored, producer, names.receipts, "receipts")
        await unless_stopping(process, bookmarks.settle())
        await _consume(process, _pipeline(process, "receipts", RECEIPTS_POLICY, work), names.receipts, bookmarks)


async def run_scheduler(process: Process) -> None:
    """Hold what is not due yet, release it when it is, and tell what ended without its user."""
    settings, names = process.settings, Names(process.settings.prefix)
    async with _connected(process) as (stored, producer):
        await _check_partitions(process, producer, names.scheduled, settings.partitions_lane)
        held = scheduled.collection(stored)
        settling = retry(lambda: scheduled.settle(held, settings.partitions_lane), "mongodb", *database.TRANSIENT)
        await unless_stopping(process, settling)
        bookmarks = _bookmarks(process, stored, producer, names.scheduled, "scheduler")
        generation = (await unless_stopping(process, bookmarks.settle())).generation
        releasing = Releasing(names, stored, producer, lambda: {p.number for p in pipeline.assigned()})
        work = Holding(generation, settings.partitions_lane, names, stored, producer, releasing.came)
        pipeline = _pipeline(process, "scheduler", SCHEDULER_POLICY, work)
        endings = Endings(names, stored, producer)
        _fails_when(process, releasing.stuck)
        _fails_when(process, endings.stuck)
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(releasing.run(), name="releasing"),
                tasks.create_task(endings.run(), name="endings"),
            ]
            try:
                await _consume(process, pipeline, names.scheduled, bookmarks)
            finally:
                for task in beside:
                    task.cancel()


@asynccontextmanager
async def _connected(
    process: Process, *, wait_for_mongodb: bool = True
) -> AsyncGenerator[tuple[Database, AIOKafkaProducer]]:
    """MongoDB with its indexes and a started producer; waits for both servers, and watches them while it is open."""
    settings, health = process.settings, process.health
    stored = database.connect(settings)
    producer = clients.producer(settings)
    async with asyncio.TaskGroup() as tasks:
        watches = [tasks.create_task(watch(health.dependency("mongodb"), lambda: database.probe(stored)))]
        indexing = tasks.create_task(retry(lambda: indexes.ensure(stored), "mongodb", *database.TRANSIENT))
        watches.append(indexing)
        try:
            if wait_for_mongodb:
                await unless_stopping(process, asyncio.shield(indexing))
            await unless_stopping(process, retry(lambda: clients.start(producer), "kafka", *clients.SEND_ERRORS))
            health.troubles.append(producer.refused)
            watches.append(tasks.create_task(watch(health.dependency("kafka"), lambda: clients.probe(producer))))
            yield stored, producer
        finally:
            for task in watches:
                task.cancel()
            await within(STOP_S, producer.stop(), "producer")
            database.close(stored)


def _pipeline(process: Process, role: str, policy: WindowPolicy, work: Work) -> Pipeline:
    return Pipeline(role, policy, work, windows_in_flight=process.settings.windows_in_flight)


def _fails_when(process: Process, stuck: Callable[[], str]) -> None:
    """A restart mends what is stuck, unless it waits for a server that is away, or that refuses what it is sent."""
    health = process.health
    health.failures.append(lambda: "" if health.down() or health.troubled() else stuck())


async def _consume(process: Process, pipeline: Pipeline, topic: str, bookmarks: Bookmarks) -> None:
    """Run the role's Faust app and its pipeline until told to stop, then finish what is in hand and commit it."""
    process.health.figures.append(pipeline.figures)
    _fails_when(process, pipeline.stuck)
    process.health.troubles.append(lambda: pipeline.waiting())
    group = Names(process.settings.prefix).group(pipeline.name)
    app = make_app(process.settings, group, topic, pipeline, bookmarks)
    app.finalize()
    working = asyncio.create_task(pipeline.run(), name="pipeline")
    watching = asyncio.create_task(bookmarks.watch(), name="bookmarks")
    stopping = asyncio.create_task(process.stopping.wait())
    stopped = asyncio.create_task(app.wait_until_stopped())
    try:
        await unless_stopping(process, app.start())
        process.health.started = True
        log.info("consuming", topic=topic)
        await asyncio.wait([working, watching, stopping, stopped], return_when=asyncio.FIRST_COMPLETED)
        if app.crash_reason:
            raise app.crash_reason
        for task in (working, watching):
            if task.done():
                await task
        # not by stopping the flow: that makes Faust seek, and a seek forgets what is about to be acknowledged
        pipeline.close()
        await pipeline.drain()
    finally:
        await within(STOP_S, app.stop(), "app")
        for task in (working, watching, stopping, stopped):
            task.cancel()
