"""Records of our own topics that nothing of ours would write: each costs itself, on the running system."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from clarion.broker import clients
from clarion.client import Publisher, Subscriber
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import receipts
from clarion.contracts.records.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from tests.conftest import until
from tests.observing import reading, states


def impossible_receipts(user: str) -> list[bytes]:
    last = Receipt(user, Op.READ, [new_id()], datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    early = Receipt(user, Op.DELIVERED, [new_id()], last.at, unstored=True)
    first = msgspec.json.encode(last).replace(b"9999-12-31T23:59:59.999999Z", b"0001-01-01T00:00:00+14:00")
    return [receipts.encode(last), receipts.encode(early), first, b'{"user":"\\ud800"}', b"[" * 100_000]


async def test_receipts_of_impossible_moments_are_dead_letters(
    publisher: Publisher, user: str, stored: Database, live: Settings
) -> None:
    names = Names(live.prefix)
    id_ = await publisher.publish(recipient=user, type="t", message="read me")
    await until(lambda: notifications.unread(notifications.collection(stored), user))
    bad = impossible_receipts(user)
    good = receipts.encode(Receipt(user, Op.READ, [id_], times.now()))
    async with clients.producer(live) as producer, reading(live, names.dead_letters) as consumer:
        records = [{"topic": names.receipts, "key": user.encode(), "value": value} for value in [*bad, good]]
        await clients.send_all(producer, records)

        async def is_read() -> bool:
            return await states(stored, [id_]) == [State.READ]

        await until(is_read)
        left = set(bad)
        async with asyncio.timeout(20):
            while left:
                record = await consumer.getone()
                headers = dict(record.headers)
                if record.value in left:
                    assert headers["topic"].decode() == names.receipts
                    left.discard(record.value)


async def test_impossible_deliveries_cost_no_gateway_its_mailbox(
    publisher: Publisher, subscriber: Callable[[str], Subscriber], user: str, stored: Database, live: Settings
) -> None:
    names = Names(live.prefix)
    item: dict[str, Any] = {"recipient": user, "lane": "low", "ord": [0, 1], "id": new_id(), "body": {"id": "x"}}
    spoilt = [
        {"id": "zzzzzzzz-zzzz-7zzz-8zzz-zzzzzzzzzzzz"},
        {"ord": [1 << 20, 1]},
        {"ord": [0, 10**30]},
        {"body": 5},
    ]
    bad = [
        b"[" * 100_000,
        b"",
        *(msgspec.json.encode({"kind": "items", "items": [item | one]}) for one in spoilt),
        msgspec.json.encode({"kind": "control", "op": "ack", "user": user, "session": "x", "tag": -1}),
    ]
    async with subscriber(user) as listening, clients.producer(live) as producer, asyncio.timeout(30):
        first = await publisher.publish(recipient=user, type="t", message="before")
        assert (await anext(listening)).id == first
        for topic in (names.deliveries(Lane.URGENT), names.deliveries_bulk):
            records = [
                {"topic": topic, "partition": number, "value": value}
                for number in range(live.partitions_deliveries)
                for value in bad
            ]
            await clients.send_all(producer, records)
        for lane in (Lane.LOW, Lane.URGENT):
            after = await publisher.publish(recipient=user, type="t", message="after", priority=lane)
            assert (await anext(listening)).id == after
