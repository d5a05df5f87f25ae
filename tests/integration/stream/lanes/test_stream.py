"""What a lane does beside the plain way: collapse, poison documents, misplaced records; on the running system."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2

from clarion.broker import clients
from clarion.broker.partitioner import partition_of
from clarion.client import Lane, Publisher, Subscriber
from clarion.contracts import limits, times
from clarion.contracts.ids import new_id
from clarion.contracts.records import deliveries, notification
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.deliveries import Items
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.receipts import Op
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications, sessions
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import Change
from deploy.local.stack import Stack
from tests.conftest import until
from tests.observing import next_receipt, reading, states
from tests.subprocesses import child, env_of


async def test_a_newer_one_replaces_what_is_pending_under_its_key(
    publisher: Publisher, subscriber: Callable[[str], Subscriber], user: str, stored: Database, live: Settings
) -> None:
    async def publish(message: str, key: str | None, **more: object) -> str:
        return await publisher.publish(recipient=user, type="t", message=message, collapse_key=key, **more)  # type: ignore[arg-type]

    async with reading(live, Names(live.prefix).receipts) as consumer:
        ids = [await publish("1", "build")]
        await until(lambda: notifications.unread(notifications.collection(stored), user))  # a window of its own
        ids += [await publish("2", "build"), await publish("3", "build")]  # one window, most likely
        others = [
            await publish("another key", "deploy"),
            await publish("another lane", "build", priority=Lane.LOW),
            await publish("no key", None),
        ]

        async def settled() -> bool:
            return await states(stored, [*ids, *others]) == [
                *(State.COLLAPSED, State.COLLAPSED, State.PENDING),
                *[State.PENDING] * 3,
            ]

        await until(settled)
        assert await notifications.unread(notifications.collection(stored), user) == 4
        told: set[str] = set()
        async with asyncio.timeout(20):
            while told != {ids[0], ids[1]}:
                receipt = await next_receipt(consumer)
                told |= set(receipt.ids) if (receipt.user, receipt.op) == (user, Op.COLLAPSED) else set()
    async with subscriber(user) as listening, asyncio.timeout(20):
        assert {(await anext(listening)).id for _ in range(4)} == {ids[2], *others}


async def test_what_can_never_be_stored_is_one_dead_letter(
    publisher: Publisher, user: str, stored: Database, live: Settings
) -> None:
    poisoned = f"{user}-poison"
    await stored.command({"collMod": "notifications", "validator": {"recipient": {"$ne": poisoned}}})
    try:
        async with reading(live, Names(live.prefix).dead_letters) as consumer:
            before = await publisher.publish(recipient=user, type="t", message="before")
            poison = await publisher.publish(recipient=poisoned, type="t", message="poison")
            after = await publisher.publish(recipient=user, type="t", message="after")

            async def neighbours_are_stored() -> bool:
                return await states(stored, [before, after]) == [State.PENDING] * 2

            await until(neighbours_are_stored)
            async with asyncio.timeout(20):
                while True:
                    record = await consumer.getone()
                    if poison.encode() in record.value:
                        break
    finally:
        await stored.command({"collMod": "notifications", "validator": {}})
    headers = dict(record.headers)
    assert headers["reason"].decode() == Reason.UNSTORABLE
    assert headers["attempts"] == b"8"
    assert b"121" in headers["error"]  # DocumentValidationFailure
    assert await states(stored, [poison]) == [None]


async def test_a_record_in_the_wrong_partition_is_sent_on(
    subscriber: Callable[[str], Subscriber], user: str, stored: Database, live: Settings, stack: Stack
) -> None:
    """As a producer with another partitioner would leave it; without an id, so that both copies must agree on one."""
    topic, lane = Names(live.prefix).notifications(Lane.NORMAL), Lane.NORMAL
    right = partition_of(user, live.partitions_lane)
    item = Notification(type="t", message="astray", recipient=user, sender="other", created_at=times.now())
    producer = clients.producer(live)
    await producer.start()
    try:
        wrong = (right + 1) % live.partitions_lane
        trace = [("traceparent", b"00-1-2-01")]
        await producer.send_and_wait(
            topic, notification.encode(item), key=user.encode(), partition=wrong, headers=trace
        )
    finally:
        await producer.stop()
    async with subscriber(user) as listening, asyncio.timeout(30):
        received = await anext(listening)
    assert (received.message, received.lane) == ("astray", lane)
    assert await notifications.collection(stored).count_documents({"recipient": user}) == 1
    async with httpx2.AsyncClient(trust_env=False) as http:
        text = (await http.get(f"http://127.0.0.1:{stack.ports['normal-admin']}/metrics")).text
    assert 'clarion_moved_total{lane="normal"} 1.0' in text


async def test_over_the_recipients_limit_it_is_stored_not_pushed(settings: Settings) -> None:
    """By the broker's clock, whatever producers stamp: a backlog at a permitted rate passes, a burst does not."""
    database_ = database.connect(settings)
    documents = notifications.collection(database_)
    await sessions.write(sessions.collection(database_), [sessions.present(name, 1, 1, 1) for name in ("ann", "bob")])
    lane, names = Lane.NORMAL, Names(settings.prefix)
    producer = clients.producer(settings)
    await producer.start()

    def record(recipient: str, number: int, at_ms: int) -> dict[str, Any]:
        item = Notification(type="t", message=str(number), recipient=recipient, sender="s", created_at=times.now())
        value, key = notification.encode(item), recipient.encode()
        return {"topic": names.notifications(lane), "value": value, "key": key, "timestamp_ms": at_ms}

    stamps = [0, -1, 1_795_000_000, 4_102_444_800_000, int(times.now().timestamp() * 1000) + 3_600_000]
    await clients.send_all(producer, [record("ann", n, n * 130_000_000_000) for n in range(30)])  # until 2093
    for n in range(30):
        await clients.send_all(producer, [record("bob", n, stamps[n % len(stamps)])])
        await asyncio.sleep(0.1)
    await producer.stop()
    env = env_of(settings) | {"CLARION_ADMIN_PORT": "0", "CLARION_RECIPIENT_RATE": "10", "CLARION_RECIPIENT_BURST": "5"}
    async with child(["-m", "clarion.cli", "stream", "--role", "lane", "--lane", lane], env):

        async def all_stored() -> bool:
            return await documents.count_documents({}) == 60

        await until(all_stored, within_s=90)  # from a process's first breath, on a busy machine
        assert await documents.count_documents({"recipient": "bob", "state": "pending"}) == 30
        pending = await documents.count_documents({"recipient": "ann", "state": "pending"})
        assert 5 <= pending <= 10  # as long as it took to publish them
        assert await documents.count_documents({"recipient": "ann", "state": "throttled"}) == 30 - pending
        assert await notifications.unread(documents, "ann") == 30
        async with reading(settings, names.deliveries_bulk) as consumer, asyncio.timeout(20):
            pushed: list[str] = []
            while len(pushed) < 30 + pending:
                delivery = deliveries.decode((await consumer.getone()).value)
                assert isinstance(delivery, Items)
                pushed += [item.recipient for item in delivery.items]
            assert pushed.count("ann") == pending
    database.close(database_)


@asynccontextmanager
async def showing(subscriber: Callable[[str], Subscriber], user: str) -> AsyncGenerator[list[str]]:
    """A device of `user`: the messages it was handed, each acknowledged."""
    shown: list[str] = []

    async def show(listening: Subscriber) -> None:
        async for item in listening:
            shown.append(item.message)

    async with subscriber(user) as listening:
        task = asyncio.create_task(show(listening))
        yield shown
        task.cancel()
        await asyncio.wait([task])


async def test_of_many_updates_at_once_the_newest_is_shown_and_kept(
    publisher: Publisher, subscriber: Callable[[str], Subscriber], user: str, stored: Database, live: Settings
) -> None:
    """More than the limit lets through at once, while the first of them are delivered."""
    documents = notifications.collection(stored)
    count = 3 * live.recipient_burst + 1
    async with showing(subscriber, user) as shown:
        ids = [
            await publisher.publish(recipient=user, type="t", message=str(n), collapse_key="build")
            for n in range(count)
        ]

        async def settled() -> bool:
            return await states(stored, ids) == [*[State.COLLAPSED] * (count - 1), State.DELIVERED]

        await until(settled)
        assert shown[-1] == str(count - 1)
        assert await notifications.unread(documents, user) == 1
        assert await documents.count_documents({"recipient": user, "unread": {"$type": "bool"}}) == 1


async def test_what_is_throttled_collapses_too_and_what_was_read_stays(
    publisher: Publisher, subscriber: Callable[[str], Subscriber], user: str, stored: Database, live: Settings
) -> None:
    documents = notifications.collection(stored)

    async def publish(message: str, key: str | None) -> str:
        return await publisher.publish(recipient=user, type="t", message=message, collapse_key=key)

    async with showing(subscriber, user):
        read, seen = await publish("read", "read"), await publish("1", "build")

        async def both_are_delivered() -> bool:
            return await states(stored, [read, seen]) == [State.DELIVERED] * 2

        await until(both_are_delivered)
        await receipt_updates.fold(documents, [Change(Op.READ, (read,), times.now(), user)])
        # far beyond the limit, so that no token comes back before the end
        await asyncio.gather(*(publish("flood", None) for _ in range(6 * live.recipient_burst)))
        held_back = await publish("2", "build")
        await until(lambda: is_stored(stored, held_back))
        newest, again = await publish("3", "build"), await publish("again", "read")

        async def settled() -> bool:
            found = await states(stored, [read, seen, held_back, newest, again])
            return found[:3] == [State.READ, State.COLLAPSED, State.COLLAPSED] and None not in found

        await until(settled)
        mine = {"recipient": user, "collapse_key": "build", "unread": {"$type": "bool"}}
        assert [d["_id"] async for d in documents.find(mine)] == [newest]


async def is_stored(stored: Database, id_: str) -> bool:
    return await states(stored, [id_]) != [None]


async def test_many_keys_at_once_leave_one_each(stored: Database) -> None:
    """More keys than one query takes, and what was interrupted before: the highest stored `ord` wins."""
    documents = notifications.collection(stored)
    user, now = f"user-{new_id()}", times.now()
    keep = now + timedelta(days=limits.KEEP_DAYS)
    made: list[dict[str, Any]] = [
        {"_id": new_id(), "recipient": user, "lane": "low", "ord": n, "state": "pending", "unread": True,
         "collapse_key": f"key-{n % 450}", "purge_at": keep}
        for n in range(1_000)
    ]  # fmt: skip
    await documents.insert_many(made)
    keys = {(user, f"key-{n}") for n in range(450)}
    older = await notifications.collapse(documents, Lane.LOW, keys, now)
    assert older == {d["_id"] for d in made if d["ord"] < 550}
    assert await notifications.collapse(documents, Lane.LOW, keys, now) == set()
    assert await documents.count_documents({"recipient": user, "state": "collapsed", "unread": None}) == 550
    await documents.delete_many({"recipient": user})
