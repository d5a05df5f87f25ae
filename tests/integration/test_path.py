"""The way of a notification through the running system, with the Python SDK."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition

from clarion.broker import clients
from clarion.client import InMemory, Lane, Publisher, Received, Submission, Subscriber
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES
from clarion.contracts.records.notification import Notification, encode
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications, sessions
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from tests.conftest import until
from tests.observing import expires

Subscribe = Callable[[str], Subscriber]


async def take(subscriber: Subscriber, count: int) -> list[Received]:
    found: list[Received] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found.append(await anext(subscriber))
    await subscriber.handled()
    return found


async def state_of(stored: Database, id_: str) -> State | None:
    found = await notifications.find(notifications.collection(stored), [id_])
    return found[id_].state if id_ in found else None


async def test_published_over_http_arrives_live_and_is_acknowledged(
    publisher: Publisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    async with subscriber(user) as listening:
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        id_ = await publisher.publish(
            recipient=user, type="call.missed", message="Ann called", priority="urgent", data={"minutes": 3}
        )
        (item,) = await take(listening, 1)
        assert (item.id, item.lane, item.message, item.data) == (id_, Lane.URGENT, "Ann called", {"minutes": 3})
        assert item.sender == "tests"

        async def is_delivered() -> bool:
            return await state_of(stored, id_) is State.DELIVERED

        await until(is_delivered)


async def test_what_came_while_away_is_replayed_urgent_first(
    publisher: Publisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    expected = [(lane, n) for lane in LANES for n in range(3)]
    ids = [
        await publisher.publish(recipient=user, type="t", message=f"{n}", priority=lane)
        for n in range(3)
        for lane in reversed(LANES)
    ]

    async def all_stored() -> bool:
        return len(await notifications.find(notifications.collection(stored), ids)) == len(ids)

    await until(all_stored)
    async with subscriber(user) as listening:
        items = await take(listening, len(ids))
        assert [(item.lane, int(item.message)) for item in items] == expected
    assert {item.id for item in items} == set(ids)


async def test_straight_to_kafka_is_a_first_class_way(live: Settings, subscriber: Subscribe, user: str) -> None:
    async with (
        Publisher.kafka(live.kafka, sender="upstream", prefix=live.prefix) as kafka,
        subscriber(user) as listening,
    ):
        id_ = await kafka.publish(recipient=user, type="lead.new", message="A lead", priority=Lane.HIGH)
        (item,) = await take(listening, 1)
    assert (item.id, item.sender, item.lane) == (id_, "upstream", Lane.HIGH)


async def test_a_record_by_hand_without_an_id_is_delivered_once(
    live: Settings, subscriber: Subscribe, user: str
) -> None:
    value = encode(Notification(type="t", message="bare", recipient=user, sender="s"))
    producer = clients.producer(live)
    await producer.start()
    try:
        await producer.send_and_wait(Names(live.prefix).notifications(Lane.LOW), value, key=user.encode())
    finally:
        await producer.stop()
    async with subscriber(user) as listening:
        (item,) = await take(listening, 1)
    assert item.message == "bare"


async def test_the_same_idempotency_key_delivers_once(publisher: Publisher, subscriber: Subscribe, user: str) -> None:
    ids = {
        await publisher.publish(recipient=user, type="t", message="once", idempotency_key="k", priority="urgent")
        for _ in range(3)
    }
    assert len(ids) == 1
    last = await publisher.publish(recipient=user, type="t", message="last", priority="urgent")
    async with subscriber(user) as listening:
        assert [item.id for item in await take(listening, 2)] == [*ids, last]


async def test_every_device_of_a_user_receives_and_nobody_else(
    publisher: Publisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    other = f"other-{new_id()}"
    async with subscriber(user) as phone, subscriber(user) as laptop, subscriber(other) as stranger:
        for who in (user, other):
            await until(lambda who=who: sessions.route(sessions.collection(stored), [who]))
        ids = [await publisher.publish(recipient=user, type="t", message=str(n)) for n in range(5)]
        await publisher.publish(recipient=other, type="t", message="for the other")
        for device in (phone, laptop):
            assert [item.id for item in await take(device, 5)] == ids
        assert [item.message for item in await take(stranger, 1)] == ["for the other"]


async def test_other_devices_are_told_of_marks_and_the_count(
    publisher: Publisher, subscriber: Subscribe, user: str
) -> None:
    async with subscriber(user) as phone, subscriber(user) as laptop:
        for n in range(2):
            await publisher.publish(recipient=user, type="t", message=str(n), priority="urgent")
        items = await take(phone, 2)
        await take(laptop, 2)
        await phone.read([items[0].id])

        async def laptop_knows() -> bool:
            return laptop.unread_count == 1

        await until(laptop_knows)


async def test_somebody_elses_notification_cannot_be_read(
    publisher: Publisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    id_ = await publisher.publish(recipient=user, type="t", message="mine")
    async with subscriber(f"thief-{user}") as thief:
        await thief.read([id_])
        marker = await publisher.publish(recipient=f"thief-{user}", type="t", message="later")
        await take(thief, 1)

        async def marker_is_folded() -> bool:
            return await state_of(stored, marker) is State.DELIVERED

        await until(marker_is_folded)  # the same user's receipts are folded in order
    assert await state_of(stored, id_) is State.PENDING


async def test_resuming_repeats_nothing_and_counts_a_lost_ack(
    publisher: Publisher, live: Settings, user: str, stored: Database
) -> None:
    storage = InMemory()
    token = mint(live, sub=user, scope=SUBSCRIBE)
    first = await publisher.publish(recipient=user, type="t", message="1", priority="urgent")
    async with Subscriber(live.gateway_urls, token=token, storage=storage) as one:
        await take(one, 1)
    second = await publisher.publish(recipient=user, type="t", message="2", priority="urgent")
    async with Subscriber(live.gateway_urls, token=token, storage=storage) as two:
        assert [item.id for item in await take(two, 1)] == [second]
        assert two.stats.repeats == 0

    async def both_delivered() -> bool:
        return [await state_of(stored, id_) for id_ in (first, second)] == [State.DELIVERED] * 2

    await until(both_delivered)


async def test_an_expired_one_is_stored_told_and_never_pushed(
    publisher: Publisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    id_ = await publisher.publish(recipient=user, type="t", message="short", expires_at=soon)

    await expires(stored, id_)
    last = await publisher.publish(recipient=user, type="t", message="lasting")
    async with subscriber(user) as listening:
        assert [item.id for item in await take(listening, 1)] == [last]


async def test_more_than_the_credit_arrives_whole_and_in_order(
    live: Settings, subscriber: Subscribe, user: str, stored: Database
) -> None:
    """500 notifications against a credit of 64: the rest waits in the store and follows the acknowledgements."""
    async with Publisher.kafka(live.kafka, sender="bulk", prefix=live.prefix) as kafka, subscriber(user) as listening:
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        wanted = [Submission(type="t", message=str(n), recipient=user, priority=Lane.LOW) for n in range(500)]
        results = await kafka.publish_many(wanted)
        items = await take(listening, 500)
    assert [item.id for item in items] == [result.id for result in results]


@pytest.mark.parametrize("value", [b"{bad", b'{"recipient":"x"}'])
async def test_an_unreadable_record_harms_no_neighbour(
    live: Settings, subscriber: Subscribe, user: str, value: bytes
) -> None:
    names = Names(live.prefix)
    topic = names.notifications(Lane.URGENT)
    before, after = (encode(Notification(type="t", message=m, recipient=user, sender="s")) for m in ("before", "after"))
    letters: Any = clients.mailbox_consumer(live)
    producer: Any = clients.producer(live)
    await producer.start()
    await letters.start()
    try:
        partitions = [TopicPartition(names.dead_letters, n) for n in range(4)]
        letters.assign(partitions)
        for partition, end in (await letters.end_offsets(partitions)).items():
            letters.seek(partition, end)
        sent = [await producer.send(topic, record, key=user.encode()) for record in (before, value, after)]
        _, bad, _ = await asyncio.gather(*sent)
        async with subscriber(user) as listening:
            assert [item.message for item in await take(listening, 2)] == ["before", "after"]
        async with asyncio.timeout(20):
            letter = await letters.getone()
    finally:
        await letters.stop()
        await producer.stop()
    headers = dict(letter.headers)
    assert letter.value == value
    assert headers["reason"] == b"undecodable"
    assert (headers["topic"], headers["offset"]) == (topic.encode(), str(bad.offset).encode())
