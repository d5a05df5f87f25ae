"""Run a stream process of one role: its connections, its work and its Faust app, started and ended in order."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.broker.probe import probe
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names, enough
from clarion.process import Process, Stopped, unless_stopping, within
from clarion.resilience.gcra import RateLimit
from clarion.resilience.latency_limit import Gate, VegasLimit
from clarion.resilience.retry import retry
from clarion.settings import SettingsError
from clarion.store import indexes, mailboxes, scheduled
from clarion.store.dead_letters import letters
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.topics import Known
from clarion.telemetry import metrics
from clarion.telemetry.health import watch
from clarion.telemetry.metrics.labels import LANE_LIMITS
from services.stream.engine import window_spans
from services.stream.engine.checkpoints import Checkpoints, Outdated
from services.stream.engine.consumer import STOP_S, again_when_grown, consume, fails_when
from services.stream.engine.faust_app import FaustSource
from services.stream.engine.heap import keep_freed_memory
from services.stream.engine.pipeline import Pipeline, Work
from services.stream.engine.windows import (
    DEAD_LETTERS_POLICY,
    POLICIES,
    RECEIPTS_POLICY,
    SCHEDULER_POLICY,
    WindowPolicy,
)
from services.stream.lanes.lane import LaneWork
from services.stream.lanes.live_mailboxes import LiveMailboxes
from services.stream.lanes.urgent import UrgentWork
from services.stream.receipts.after_lanes import AfterLanes
from services.stream.receipts.dead_letters import DeadLettersWork
from services.stream.receipts.worker import ReceiptsWork
from services.stream.scheduler.expire import ExpireLoop
from services.stream.scheduler.hold import HoldWork
from services.stream.scheduler.release import ReleaseLoop
from services.stream.scheduler.show_throttled import ShowThrottledLoop
from services.stream.steps.throttle import RecipientThrottle

log = structlog.get_logger()

_URGENT_WAITS_S: Final = 3.0  # how long the urgent lane waits for MongoDB when it starts
# Niceness of each lane's process: where lanes share a machine's cores, the more important lane runs first.
_NICE: Final = {Lane.URGENT: 0, Lane.HIGH: 3, Lane.NORMAL: 6, Lane.LOW: 9}


async def run_lane(process: Process, lane: Lane) -> None:
    """Run a lane until it is told to stop. The urgent lane starts without MongoDB, since it delivers without it."""
    metrics.LANES.export(lane=lane)
    metrics.LIMITS.export(limit=LANE_LIMITS)
    keep_freed_memory()
    async with _connected(process, lane, wait_for_mongodb=lane is not Lane.URGENT) as (stored, producer):
        os.nice(_NICE[lane])
        await again_when_grown(lambda: _run_lane(process, lane, stored, producer))


async def _run_lane(process: Process, lane: Lane, stored: Database, producer: AIOKafkaProducer) -> None:
    """Run the lane with its topic as it is now. Raise `Grown` when the topic has grown."""
    settings, names = process.settings, Names(process.settings.prefix)
    topic = names.notifications(lane)
    found = await _check_partitions(process, producer, topic, settings.partitions_lane)
    source = _source(process, stored, producer, topic, lane, ordered=True)
    settling = asyncio.ensure_future(source.checkpoints.settle())
    guess = Known(topic, "", settings.generation, found, began=settings.generation)
    known = await _known(process, lane, settling, guess)
    gate = None if lane is Lane.URGENT else Gate(VegasLimit(settings.windows_in_flight))
    limited = lane is not Lane.URGENT and settings.recipient_rate > 0
    limit = RecipientThrottle(RateLimit(settings.recipient_rate, settings.recipient_burst)) if limited else None
    is_urgent = lane is Lane.URGENT
    confirmed = partial(_confirm, settling, known, source.checkpoints) if is_urgent else source.checkpoints.confirm
    work = LaneWork(
        lane, known.generation, known.partitions, names, stored, producer, gate, limit, confirmed, known.began
    )
    if is_urgent:
        try:
            await _run_urgent(process, work, source)
        finally:
            settling.cancel()
    else:
        await consume(process, _pipeline(process, lane, POLICIES[lane], work, source), source)


def _source(
    process: Process, stored: Database, producer: AIOKafkaProducer, topic: str, role: str, *, ordered: bool = False
) -> FaustSource:
    """Return the source of the role's batches. `ordered` topics keep each recipient's order when they grow."""
    settings, group = process.settings, Names(process.settings.prefix).group(role)
    checkpoints = Checkpoints(settings, stored, topic, group, producer.client, ordered=ordered)
    return FaustSource(settings, group, topic, checkpoints)


async def _known(process: Process, lane: Lane, settling: "asyncio.Future[Known]", guess: Known) -> Known:
    """Return what is known of the topic, once `settling` is done.

    The urgent lane waits at most _URGENT_WAITS_S, then goes by `guess`: what it pushes without MongoDB needs no
    generation.
    """
    if lane is Lane.URGENT:
        await unless_stopping(process, asyncio.wait([settling], timeout=_URGENT_WAITS_S))
        return settling.result() if settling.done() else guess
    return await unless_stopping(process, settling)


async def _confirm(settling: "asyncio.Future[Known]", began_with: Known, checkpoints: Checkpoints) -> None:
    """Wait until the topic is known and the store has confirmed it. Await this before anything is stored.

    Raise `Outdated` when a lane that began without MongoDB has guessed the topic's generation or partitions wrong.
    """
    known = await asyncio.shield(settling)
    guesses = [(one.generation, one.partitions, one.began) for one in (known, began_with)]
    if guesses[0] != guesses[1]:
        raise Outdated(
            f"generation, partitions and first generation of {known.topic} are {guesses[0]}, not {guesses[1]}"
        )
    await checkpoints.confirm()


async def _run_urgent(process: Process, lane: LaneWork, source: FaustSource) -> None:
    """Run the urgent lane, with twice the windows of another lane in flight.

    While one half of them waits for MongoDB, the other half can go live.
    """
    slots = process.settings.windows_in_flight
    live = LiveMailboxes(mailboxes.collection(lane.database), process.settings.partitions_deliveries)
    work = UrgentWork(lane, slots, live.mailboxes)
    do = window_spans.traced(Lane.URGENT, work)
    pipeline = Pipeline(Lane.URGENT, POLICIES[Lane.URGENT], do, source, windows_in_flight=2 * slots)
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(live.run())
        await consume(process, pipeline, source)
        looking.cancel()


async def _check_partitions(process: Process, producer: AIOKafkaProducer, topic: str, declared: int) -> int:
    """Return how many partitions the topic has. Raise `SettingsError` when they are fewer than declared.

    A topic that the broker created by itself has one partition, which serves one worker only. More partitions than
    declared are fine: the topic has grown.
    """
    found = len(await unless_stopping(process, _partitions(producer, topic)))
    if found < declared:
        raise SettingsError(
            f"{topic} has {found} partitions, but CLARION_PARTITIONS_LANE is {declared}: "
            f"run `clarion topics grow {topic.removeprefix(process.settings.prefix)} {enough(found, declared)}`, "
            f"or set that to {found}"
        )
    return found


async def _partitions(producer: AIOKafkaProducer, topic: str) -> set[int]:
    """Return the topic's partitions. While the topic does not exist, wait and log a warning.

    Faust would wait as well, but would not say which topic is missing.
    """

    async def ask() -> set[int]:
        try:
            return await producer.partitions_for(topic)
        except clients.SEND_ERRORS:
            log.warning("the process waits for a topic: if it does not exist, run `clarion topics apply`", topic=topic)
            raise

    return await retry(ask, "kafka", *clients.SEND_ERRORS)


async def run_receipts(process: Process) -> None:
    """Run the process of the receipts role until it is told to stop.

    It folds two topics, of receipts and of dead letters. Each has an app, a group and a pipeline of its own, so that
    neither waits for the other.
    """
    names = Names(process.settings.prefix)
    async with _connected(process, "receipts", "dead-letters") as (stored, producer), asyncio.TaskGroup() as tasks:
        receipts = ReceiptsWork(names, stored, producer, after_lanes := AfterLanes(process.settings, stored))
        process.health.troubles.append(after_lanes.waiting)
        dead = DeadLettersWork(letters.collection(stored))
        for topic, role, policy, work in (
            (names.receipts, "receipts", RECEIPTS_POLICY, receipts),
            (names.dead_letters, "dead-letters", DEAD_LETTERS_POLICY, dead),
        ):
            tasks.create_task(_fold_topic(process, stored, producer, topic, role, policy, work), name=role)


async def _fold_topic(
    process: Process,
    stored: Database,
    producer: AIOKafkaProducer,
    topic: str,
    role: str,
    policy: WindowPolicy,
    work: Work,
) -> None:
    """Do `work` on the windows of a topic until the process is told to stop.

    A topic that is not there yet keeps no other from ending in order.
    """

    async def run() -> None:
        source = _source(process, stored, producer, topic, role)
        await unless_stopping(process, source.checkpoints.settle())
        await consume(process, _pipeline(process, role, policy, work, source), source)

    with suppress(Stopped):
        await unless_stopping(process, _partitions(producer, topic))
        await again_when_grown(run)


async def run_scheduler(process: Process) -> None:
    """Run the process of the scheduler role until it is told to stop.

    It holds what is not due yet, releases it when it is due, expires notifications, and shows throttled ones late.
    """
    metrics.SCHEDULER.export()
    settings, names = process.settings, Names(process.settings.prefix)
    async with _connected(process, "scheduler") as (stored, producer):
        await _check_partitions(process, producer, names.scheduled, settings.partitions_lane)
        await again_when_grown(lambda: _run_scheduler(process, stored, producer))


async def _run_scheduler(process: Process, stored: Database, producer: AIOKafkaProducer) -> None:
    """Run the scheduler role with its topic as it is now. Raise `Grown` when the topic has grown."""
    settings, names, held = process.settings, Names(process.settings.prefix), scheduled.collection(stored)
    source = _source(process, stored, producer, names.scheduled, "scheduler")
    known = await unless_stopping(process, source.checkpoints.settle())
    settling = retry(lambda: scheduled.settle(held, known.partitions), "mongodb", *database.TRANSIENT)
    await unless_stopping(process, settling)
    release = ReleaseLoop(names, stored, producer, lambda: {p.number for p in source.assigned()})
    work = HoldWork(known.began, known.partitions, names, stored, producer, release.came)
    pipeline = _pipeline(process, "scheduler", SCHEDULER_POLICY, work, source)
    expire = ExpireLoop(names, stored, producer)
    limit = RateLimit(settings.recipient_rate, settings.recipient_burst) if settings.recipient_rate > 0 else None
    show_throttled = ShowThrottledLoop(names, stored, producer, release.owned, known.partitions, limit)
    async with asyncio.TaskGroup() as tasks:
        beside = [
            tasks.create_task(release.run(), name="release"),
            tasks.create_task(expire.run(), name="expire"),
            tasks.create_task(show_throttled.run(), name="show throttled"),
        ]
        try:
            with (
                fails_when(process, release.stuck),
                fails_when(process, expire.stuck),
                fails_when(process, show_throttled.stuck),
            ):
                await consume(process, pipeline, source)
        finally:
            for task in beside:
                task.cancel()


@asynccontextmanager
async def _connected(
    process: Process, *roles: str, wait_for_mongodb: bool = True
) -> AsyncGenerator[tuple[Database, AIOKafkaProducer]]:
    """Yield MongoDB and a started producer for lanes or other roles, and probe both servers while the block runs.

    Wait until Kafka answers and, with `wait_for_mongodb`, until MongoDB has its indexes. Without it, the indexes are
    made as soon as MongoDB answers.
    """
    metrics.STREAM.export(lane=roles)
    metrics.STORE.export()
    settings, health = process.settings, process.health
    stored = database.connect(settings)
    producer = clients.producer(settings, on_renewed=metrics.count_renewal)
    async with asyncio.TaskGroup() as tasks:
        watches = [tasks.create_task(watch(health.dependency("mongodb"), lambda: database.probe(stored)))]
        indexing = tasks.create_task(retry(lambda: indexes.ensure(stored), "mongodb", *database.TRANSIENT))
        watches.append(indexing)
        try:
            if wait_for_mongodb:
                await unless_stopping(process, asyncio.shield(indexing))
            await unless_stopping(process, retry(lambda: clients.start(producer), "kafka", *clients.SEND_ERRORS))
            health.troubles.append(producer.refused)
            watches.append(tasks.create_task(watch(health.dependency("kafka"), lambda: probe(producer))))
            yield stored, producer
        finally:
            for task in watches:
                task.cancel()
            await within(STOP_S, producer.stop(), "producer")
            database.close(stored)


def _pipeline(process: Process, role: str, policy: WindowPolicy, work: Work, source: FaustSource) -> Pipeline:
    do = window_spans.traced(role, work)
    return Pipeline(role, policy, do, source, windows_in_flight=process.settings.windows_in_flight)
