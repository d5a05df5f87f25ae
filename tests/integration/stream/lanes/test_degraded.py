"""Urgent while MongoDB is paused, stopped or slow: it goes live, and is stored, routed and emitted in full later."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from clarion.broker import clients
from clarion.client import Lane, Publisher, Subscriber
from clarion.contracts.api.frames import Received
from clarion.contracts.ids import new_id
from clarion.contracts.records import deliveries, notification
from clarion.contracts.records.deliveries import Items, Unstored
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications, sessions
from clarion.store.driver import database
from clarion.store.driver.database import Database
from deploy.local.stack import Stack
from tests.conftest import until
from tests.proxy import mongodb_at, proxied
from tests.subprocesses import child, env_of, figures_of, free_port

LIVE_S = 15.0  # these machines are noisy, and MongoDB stays away until it has come


class Inbox:
    """A user who acknowledges at once whatever comes."""

    def __init__(self) -> None:
        self._received: asyncio.Queue[Received] = asyncio.Queue()

    async def read(self, subscriber: Subscriber) -> None:
        async with subscriber as listening:
            async for item in listening:
                self._received.put_nowait(item)

    async def next(self, within_s: float = LIVE_S) -> Received:
        async with asyncio.timeout(within_s):
            return await self._received.get()


@asynccontextmanager
async def inbox_of(subscriber: Subscriber) -> AsyncGenerator[Inbox]:
    inbox = Inbox()
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(inbox.read(subscriber))
        yield inbox
        reading.cancel()


async def whole(stored: Database, user: str, ids: Sequence[str]) -> None:
    """Wait until every one is stored whole and delivered, once, and nothing else of the user is there."""
    documents = notifications.collection(stored)

    async def is_so() -> bool:
        found = await documents.find({"recipient": user}).to_list(None)
        states = {d["_id"]: (d["state"], d.get("stub"), "body" in d) for d in found}
        return states == dict.fromkeys(ids, ("delivered", None, True))

    await until(is_so, within_s=60)
    assert await notifications.unread(documents, user) == len(ids)


async def test_urgent_is_live_while_mongodb_pauses_and_whole_after(
    stack: Stack, publisher: Publisher, user: str, subscriber: Callable[[str], Subscriber], stored: Database
) -> None:
    async def publish(number: int) -> str:
        return await publisher.publish(recipient=user, type="t", message=str(number), priority=Lane.URGENT)

    async with inbox_of(subscriber(user)) as inbox:
        ids = [await publish(0)]
        assert not (await inbox.next(30)).unstored
        stack.kill("mongodb", signal.SIGSTOP)
        try:
            for number in range(1, 6):
                began = time.monotonic()
                ids.append(await publish(number))
                live = await inbox.next()
                assert (live.id, live.message, live.unstored) == (ids[-1], str(number), True)
                assert time.monotonic() - began < LIVE_S
        finally:
            stack.kill("mongodb", signal.SIGCONT)
        await whole(stored, user, ids)
        ids.append(await publish(6))
        # the stored twins of what went live are repeats: nothing comes between
        assert (await inbox.next(30)).id == ids[-1]


@pytest.mark.slow
async def test_a_gateway_that_came_just_before_an_outage_is_reached(
    stack: Stack, publisher: Publisher, user: str, subscriber: Callable[[str], Subscriber]
) -> None:
    """It serves nobody before the lane, which asks every second, has seen whose mailbox it reads."""
    restarts = {name: child.restarts for name, child in stack.children.items() if name.startswith("gateway")}
    for name in restarts:
        stack.kill(name)

    async def all_restarted() -> bool:
        return all(stack.children[name].restarts > before for name, before in restarts.items())

    await until(all_restarted)
    async with inbox_of(subscriber(user)) as inbox:
        await publisher.publish(recipient=user, type="t", message="before", priority=Lane.URGENT)
        await inbox.next(30)
        stack.kill("mongodb", signal.SIGSTOP)
        try:
            away = await publisher.publish(recipient=user, type="t", message="away", priority=Lane.URGENT)
            assert (await inbox.next()).id == away
        finally:
            stack.kill("mongodb", signal.SIGCONT)


@pytest.mark.slow
async def test_a_long_outage_keeps_urgent_live_and_shelves_the_rest(
    stack: Stack, publisher: Publisher, user: str, subscriber: Callable[[str], Subscriber], stored: Database
) -> None:
    """Longer than windows wait: payloads are let go, and read again from what was committed."""
    ids: list[str] = []
    async with inbox_of(subscriber(user)) as inbox:
        ids.append(await publisher.publish(recipient=user, type="t", message="before", priority=Lane.URGENT))
        await inbox.next(30)
        await stack.stop_child("mongodb")
        try:
            ends = time.monotonic() + 10
            while time.monotonic() < ends:
                ids.append(await publisher.publish(recipient=user, type="t", message="away", priority=Lane.URGENT))
                assert (await inbox.next()).id == ids[-1]
                await asyncio.sleep(0.1)
            figures = await figures_of(stack.ports["urgent-admin"])
            assert figures['clarion_windows_shelved_total{lane="urgent"}'] > 0
            assert figures['clarion_buffered_bytes{lane="urgent"}'] < 10_000
        finally:
            await stack.start_mongodb()
        await whole(stored, user, ids)
        assert len(ids) > 20

    async def all_committed() -> bool:
        return (await figures_of(stack.ports["urgent-admin"]))['clarion_windows_in_flight{lane="urgent"}'] == 0

    await until(all_committed)


@pytest.mark.slow
async def test_a_lane_that_starts_without_mongodb_goes_live_at_once(
    stack: Stack, publisher: Publisher, user: str, subscriber: Callable[[str], Subscriber], stored: Database
) -> None:
    async with inbox_of(subscriber(user)) as inbox:
        first = await publisher.publish(recipient=user, type="t", message="before", priority=Lane.URGENT)
        await inbox.next(30)
        stack.kill("mongodb", signal.SIGSTOP)
        try:
            restarts = stack.children["urgent"].restarts
            stack.kill("urgent")

            async def restarted() -> bool:
                return stack.children["urgent"].restarts > restarts

            await until(restarted)
            second = await publisher.publish(recipient=user, type="t", message="away", priority=Lane.URGENT)
            assert (await inbox.next(30)).unstored  # its predecessor's session has to time out first
        finally:
            stack.kill("mongodb", signal.SIGCONT)
        await whole(stored, user, [first, second])


@asynccontextmanager
async def urgent_lane(settings: Settings, mongodb_port: int) -> AsyncGenerator[int]:
    """An urgent lane of the test's own whose way to MongoDB is `mongodb_port`; its admin port."""
    admin = free_port()
    env = env_of(settings) | {
        "CLARION_ADMIN_PORT": str(admin),
        "CLARION_MONGODB": mongodb_at(mongodb_port),
    }
    async with child(["-m", "clarion.cli", "stream", "--role", "lane", "--lane", Lane.URGENT], env):
        yield admin


async def test_a_slow_mongodb_delays_no_urgent_notification(settings: Settings, stack: Stack) -> None:
    """Slow, but it finishes: everything goes out early, then as stored, and nothing is shelved or read twice."""
    names, connection = Names(settings.prefix), database.connect(settings)
    await sessions.write(sessions.collection(connection), [sessions.present("ann", 1, 1, 1)])
    consumer: Any = AIOKafkaConsumer(
        names.deliveries_urgent, bootstrap_servers=settings.kafka, auto_offset_reset="earliest"
    )
    producer = clients.producer(settings)
    await consumer.start()
    await producer.start()
    early: dict[str, set[int]] = {}
    stored: dict[str, int] = {}

    async def watch() -> None:
        async for record in consumer:
            match deliveries.decode(record.value):
                case Unstored(items):
                    for item in items:
                        early.setdefault(item.id, set()).add(record.partition)
                        assert b'"unstored":true' in bytes(item.body)
                        assert b'"ord"' not in bytes(item.body)
                case Items(items):
                    for item in items:
                        assert item.id not in stored, "emitted twice without a fault"
                        stored[item.id] = record.partition
                case _:
                    pass

    async def publish(message: str) -> str:
        item = Notification(id=new_id(), type="t", message=message, recipient="ann", sender="s", priority=Lane.URGENT)
        topic = names.notifications(Lane.URGENT)
        await producer.send_and_wait(topic, notification.encode(item), key=b"ann")
        return str(item.id)

    watching = asyncio.create_task(watch())
    try:
        async with proxied("127.0.0.1", stack.ports["mongodb"]) as proxy, urgent_lane(settings, proxy.port) as admin:
            first = await publish("quick")

            async def arrived() -> bool:
                return first in stored

            await until(arrived)
            early.clear()
            proxy.delay_s = 0.4
            ids = [await publish(f"slow {number}") for number in range(20)]

            async def all_early() -> bool:
                return set(ids) <= set(early)

            await until(all_early)
            assert not set(ids) <= set(stored), "they were early"

            async def all_stored() -> bool:
                return set(ids) <= set(stored)

            await until(all_stored)
            assert set(map(frozenset, early.values())) == {frozenset(range(settings.partitions_deliveries))}
            figures = await figures_of(admin)
            assert figures.get('clarion_windows_shelved_total{lane="urgent"}', 0) == 0
            assert figures["clarion_unstored_total"] == len(early)
            proxy.delay_s = 0.0
            early.clear()
            last = await publish("quick again")

            async def last_is_stored() -> bool:
                return last in stored

            await until(last_is_stored)
            assert not early
    finally:
        watching.cancel()
        await consumer.stop()
        await producer.stop()
        database.close(connection)
