"""Topics, servers' clients and actors for one schedule after another; between them everything is forgotten."""

import asyncio
import gc
import warnings
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from clarion.broker import clients
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import indexes, mailboxes, notifications, sessions
from clarion.store.driver import database
from clarion.store.driver.database import Database
from tests.live import gateway_seams, worker_seams
from tests.live.actions import gateway_actions, worker_actions
from tests.live.actor import Actor
from tests.live.device import LiveDevice
from tests.live.gateway import LiveGateway
from tests.live.live import Live
from tests.live.schedules import Schedule
from tests.live.worker import LiveLane, Worker
from tests.model.explorer import unhurried
from tests.model.world.scenario import Scenario

MAILBOXES = 2  # the most that a scenario has


def settings_of(settings: Settings) -> Settings:
    """With a partition a lane, as the model has it, and no safety net: nothing but the protocol delivers here."""
    return msgspec.structs.replace(
        settings,
        partitions_lane=1,
        partitions_deliveries=MAILBOXES,
        safety_net_s=3_600,
        connections_per_ip=0,
        upgrades_per_s=0,
    )


@asynccontextmanager
async def stage(settings: Settings, schedule: Schedule) -> AsyncGenerator[Live]:
    """The live system as the model's begins: gateways serve, workers have their partitions, all is published."""
    scenario, slowness = schedule.scenario, asyncio.Event()
    settings = msgspec.structs.replace(settings, partitions_deliveries=scenario.mailboxes)
    async with AsyncExitStack() as stack:
        stored = database.connect(settings)
        stack.callback(database.close, stored)
        await indexes.ensure(stored)
        for collection in (notifications, sessions, mailboxes):
            await collection.collection(stored).delete_many({})
        producer = await stack.enter_async_context(clients.producer(settings))
        lanes = {lane: await _lane(stack, settings, stored, producer, scenario, lane) for lane in scenario.lanes}
        receipts: Any = clients.mailbox_consumer(settings)
        await _entered(stack, receipts)
        place = TopicPartition(Names(settings.prefix).receipts, 0)
        receipts.assign([place])
        await receipts.seek_to_end()
        await receipts.position(place)
        admin: Any = clients.admin(settings)
        await admin.start()
        stack.push_async_callback(admin.close)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        stack.enter_context(unhurried(scenario))
        gateway_seams.install(patch)
        worker_seams.install(patch, slowness)
        began = times.now()
        patch.setattr(times, "now", lambda: began)  # no time passes: in the model it does not, either

        def make_worker(lane: Lane) -> Worker:
            return Worker(lanes[lane])

        live = Live(
            settings,
            stored,
            schedule,
            slowness,
            receipts,
            admin,
            {(lane, n): make_worker(lane) for lane in scenario.lanes for n in range(scenario.workers)},
            {n: LiveGateway(settings, Actor(lanes=frozenset(scenario.lanes))) for n in range(scenario.gateways)},
            {n: LiveDevice(user, settings) for n, user in enumerate(scenario.devices)},
            make_worker,
        )
        try:
            await _begin(live, scenario)
            yield live
        finally:
            await _end(live)


async def _lane(
    stack: AsyncExitStack,
    settings: Settings,
    stored: Database,
    producer: AIOKafkaProducer,
    scenario: Scenario,
    lane: Lane,
) -> LiveLane:
    names = Names(settings.prefix)
    place = TopicPartition(names.notifications(lane), 0)
    group: Any = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, group_id=names.group(lane), enable_auto_commit=False, auto_offset_reset="none"
    )
    await _entered(stack, group)
    group.assign([place])
    base = (await group.end_offsets([place]))[place]
    await group.commit({place: base})
    group.seek(place, base)
    values = scenario.values(lane)
    for value in values:
        await producer.send_and_wait(place.topic, value, partition=0)
    records: list[Any] = []
    while len(records) < len(values):
        for found in (await group.getmany(timeout_ms=1_000)).values():
            records += found
    # as in the model, all but one may be put off
    places = 1 if "mongodb is away" in scenario.faults else scenario.windows
    return LiveLane(
        lane, settings, stored, producer, group, base, records, scenario.windows, places, scenario.mailboxes
    )


async def _entered(stack: AsyncExitStack, consumer: Any) -> None:
    await consumer.start()
    stack.push_async_callback(consumer.stop)


async def _begin(live: Live, scenario: Scenario) -> None:
    nothing = live.schedule.moves[0]
    await asyncio.gather(*(gateway.start() for gateway in live.gateways.values()))
    for number in range(scenario.mailboxes):
        assert await gateway_actions.acquire(live, nothing, number, number)
        assert await gateway_actions.fence(live, nothing, number)
        assert await gateway_actions.serve(live, nothing, number)
    for lane in scenario.lanes:
        await worker_actions.assign(live, nothing, lane, 0)


async def _end(live: Live) -> None:
    for place in list(live.links):
        await live.drop(place)
    await asyncio.gather(*(each.crash() for each in (*live.workers.values(), *live.gateways.values())))
    with warnings.catch_warnings():
        # a crash closes no connection: what is collected later would be blamed on another test
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
