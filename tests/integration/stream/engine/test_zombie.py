"""A worker that slept beyond its session and stores late what it held: the safety net's, and nobody else's, business.

A real worker drops what it holds when it wakes (`Ownership`), and stores in the order of its partition (`StageOrder`);
with either of the two nothing is lost, as the model shows. So this zombie is made by hand: a lane's real work on the
second of two windows, while the partition's owner has not stored the first.
"""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from websockets.asyncio.client import ClientConnection

from clarion.broker import clients
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.broker.partitioner import partition_of
from clarion.client import Subscriber
from clarion.contracts import times
from clarion.contracts.api.frames import Received
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.contracts.times import rfc3339
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.driver.database import Database
from services.stream.engine.stage_order import StageOrder
from services.stream.engine.windows import POLICIES, Window
from services.stream.lanes.lane import LaneWork
from tests.conftest import until
from tests.gateways import Own, frame, gateway, greeted, wire
from tests.subprocesses import child, env_of

pytestmark = pytest.mark.slow

LANE, USER = Lane.NORMAL, "ann"


@asynccontextmanager
async def stream(settings: Settings, *role: str) -> AsyncGenerator[psutil.Process]:
    env = env_of(settings) | {"CLARION_ADMIN_PORT": "0"}
    async with child(("-m", "clarion.cli", "stream", "--role", *role), env) as process:
        yield process


async def publish(settings: Settings, through: AIOKafkaProducer, message: str) -> str:
    item = Notification(
        id=new_id(), type="t", message=message, recipient=USER, sender="s", priority=LANE, created_at=times.now()
    )
    topic = Names(settings.prefix).notifications(LANE)
    await through.send_and_wait(topic, notification.encode(item), key=USER.encode())
    return str(item.id)


async def last_batch(settings: Settings) -> RecordBatch:
    """The last record of the user's partition, as a window's only one."""
    place = TopicPartition(Names(settings.prefix).notifications(LANE), partition_of(USER, settings.partitions_lane))
    consumer: Any = clients.mailbox_consumer(settings)
    await consumer.start()
    try:
        consumer.assign([place])
        consumer.seek(place, (await consumer.end_offsets([place]))[place] - 1)
        record = await consumer.getone()
    finally:
        await consumer.stop()
    return RecordBatch(Partition(*place), [record], 0, len(record.value))


async def work_late(settings: Settings, stored: Database, through: AIOKafkaProducer) -> None:
    """What a lane does with a window, on the last record alone."""
    work = LaneWork(
        LANE, settings.generation, settings.partitions_lane, Names(settings.prefix), stored, through, None, None
    )
    window = Window(POLICIES[LANE], 0.0)
    window.add(await last_batch(settings), 0.0)
    await work(window, StageOrder().join(window.partitions))


async def overtake(settings: Settings, stored: Database, through: AIOKafkaProducer, owner: psutil.Process) -> list[str]:
    """Two notifications, of which the second is stored and sent while the partition's owner sleeps on the first."""
    owner.send_signal(signal.SIGSTOP)
    passed = await publish(settings, through, "what the owner has in hand, or is to take")
    late = await publish(settings, through, "what the zombie has in hand")
    await work_late(settings, stored, through)
    return [passed, late]


async def test_the_safety_net_finds_what_a_zombie_let_pass(settings: Settings, tmp_path: Path) -> None:
    stored = database.connect(settings)
    async with (
        clients.producer(settings) as through,
        stream(settings, "lane", "--lane", LANE) as owner,
        stream(settings, "receipts"),
        gateway(settings, tmp_path) as own,
        Subscriber(own.url, token=mint(settings, sub=USER, scope=SUBSCRIBE)) as device,
    ):
        received = asyncio.Queue[Received]()

        async def read() -> None:
            async for item in device:
                received.put_nowait(item)

        async def next_id() -> str:
            async with asyncio.timeout(30):
                return (await received.get()).id

        reading = asyncio.create_task(read())
        first = await publish(settings, through, "first")
        assert await next_id() == first
        passed, late = await overtake(settings, stored, through, owner)
        assert await next_id() == late
        owner.send_signal(signal.SIGCONT)
        async with asyncio.timeout(30):
            found = await received.get()
        assert (found.id, found.unstored) == (passed, True)
        assert (await own.net()).overlooked == 1

        async def all_delivered() -> bool:
            documents = await notifications.collection(stored).find({"recipient": USER}).to_list(None)
            return [document["state"] for document in documents] == ["delivered"] * 3

        await until(all_delivered)
        assert (await own.looked()).overlooked == 1
        assert received.empty()
        reading.cancel()
    database.close(stored)


async def test_a_cursor_beyond_what_came_late_does_not_acknowledge_it(settings: Settings, tmp_path: Path) -> None:
    """It is pushed, and its client is gone before it has handled it: by its cursor it has."""
    stored = database.connect(settings)
    token = mint(settings, sub=USER, scope=SUBSCRIBE)
    async with (
        clients.producer(settings) as through,
        stream(settings, "lane", "--lane", LANE) as owner,
        stream(settings, "receipts"),
        gateway(settings, tmp_path) as own,
    ):
        async with wire(own.url, token) as socket:
            await greeted(socket)
            await publish(settings, through, "first")  # the owner has its partitions
            await handled(socket)
            passed, late = await overtake(settings, stored, through, owner)
            beyond = await handled(socket)
            assert beyond["id"] == late
        resume = {"op": "resume", "cursors": {LANE: beyond["ord"]}, "since": rfc3339(times.now())}
        for _ in range(2):
            async with wire(own.url, token) as socket:
                await socket.send(json.dumps(resume))
                await frame(socket, "hello")
                await until(partial(is_live, own))  # what its cursor acknowledges is acknowledged
                owner.send_signal(signal.SIGCONT)  # only now: what is stored before would be among that
                [item] = (await frame(socket, "batch"))["items"]
                assert (item["id"], item["unstored"]) == (passed, True)
        async with wire(own.url, token) as socket:
            await socket.send(json.dumps(resume))
            assert (await handled(socket))["id"] == passed

            async def is_delivered() -> bool:
                found = await notifications.find(notifications.collection(stored), [passed])
                return found[passed].state == "delivered"

            await until(is_delivered)
    database.close(stored)


async def is_live(own: Own) -> bool:
    return not (await own.figures())["catching_up"]


async def handled(socket: ClientConnection) -> dict[str, Any]:
    """The one notification that comes, acknowledged."""
    batch = await frame(socket, "batch")
    await socket.send(json.dumps({"op": "ack", "tag": batch["tag"]}))
    [item] = batch["items"]
    return item
