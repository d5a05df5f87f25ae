"""What a lane does with a window, in the plainest code: for the arms to compare with. The same work, the same bytes."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Protocol

import msgspec
from aiokafka import AIOKafkaProducer

from clarion.contracts import limits, order, times
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries, notification
from clarion.contracts.records.deliveries import Addressed, Items
from clarion.contracts.topics import Names
from clarion.store import notifications, sessions
from clarion.store.driver.database import Database

LANE = Lane.LOW
GENERATION = 0


class Read(Protocol):
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> Any: ...


async def store_and_emit(records: Iterable[Read], database: Database, producer: AIOKafkaProducer, names: Names) -> None:
    """Decode, insert, look up who is online, emit, and wait for each."""
    now = times.now()
    documents: list[dict[str, Any]] = []
    items: list[Addressed] = []
    for record in records:
        item = notification.decode(record.value)
        assert item.id is not None
        ord_ = order.pack(GENERATION, record.offset)
        body = deliveries.body(item, LANE, ord_)
        documents.append(
            {
                "_id": item.id,
                "recipient": item.recipient,
                "lane": LANE,
                "ord": ord_,
                "type": item.type,
                "sender": item.sender,
                "state": "pending",
                "unread": True,
                "created_at": item.created_at,
                "available_at": item.created_at,
                "stored_at": now,
                "purge_at": now + timedelta(days=limits.KEEP_DAYS),
                "body": body,
            }
        )
        items.append(Addressed(item.recipient, LANE, order.unpack(ord_), item.id, msgspec.Raw(body)))
    await notifications.collection(database).insert_many(documents, ordered=False)
    online = await sessions.route(sessions.collection(database), list({item.recipient for item in items}))
    await emit(items, online, producer, names)


async def emit(
    items: Iterable[Addressed], online: dict[str, set[int]], producer: AIOKafkaProducer, names: Names
) -> None:
    per_mailbox: dict[int, list[Addressed]] = {}
    for item in items:
        for mailbox in online.get(item.recipient, ()):
            per_mailbox.setdefault(mailbox, []).append(item)
    sent: list[Any] = []
    for mailbox, its in per_mailbox.items():
        for start in range(0, len(its), limits.ITEMS_PER_RECORD):
            value = deliveries.encode(Items(its[start : start + limits.ITEMS_PER_RECORD]))
            sent.append(await producer.send(names.deliveries_bulk, value, partition=mailbox))
    for future in sent:
        await future
