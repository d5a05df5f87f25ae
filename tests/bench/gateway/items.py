"""What the gateway benches send to mailboxes, as a lane makes and packs it, and what it stores."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

import msgspec

from clarion.contracts import limits, order
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Addressed, Items
from clarion.contracts.records.notification import Notification
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.notifications import State

_NOW: Final = datetime.now(UTC)
_TYPE: Final = "bench.item"
_SENDER: Final = "bench"
MESSAGE: Final = "A notification of an ordinary length, as one might be"
_AT_ONCE: Final = 1_000


def item(recipient: str, lane: Lane, ordinal: int, message: str = MESSAGE) -> Addressed:
    made = Notification(
        id=new_id(),
        type=_TYPE,
        message=message,
        recipient=recipient,
        sender=_SENDER,
        priority=lane,
        data={"number": 7, "url": "https://example.org/some/where"},
        created_at=_NOW,
    )
    assert made.id is not None
    body = msgspec.Raw(deliveries.body(made, lane, order.pack(0, ordinal)))
    return Addressed(recipient, lane, (0, ordinal), made.id, body)


def packed(items: Iterable[Addressed]) -> Iterator[tuple[bytes, list[str]]]:
    """Delivery records, with the ids in each."""
    left = iter(items)
    while some := list(islice(left, limits.ITEMS_PER_RECORD)):
        yield deliveries.encode(Items(some)), [one.id for one in some]


async def insert(stored: database.Collection, items: Sequence[Addressed]) -> None:
    """Pending, as a lane stores them."""
    for start in range(0, len(items), _AT_ONCE):
        await notifications.insert(stored, [_document(one) for one in items[start : start + _AT_ONCE]])


def _document(one: Addressed) -> database.Document:
    return {
        "_id": one.id,
        "recipient": one.recipient,
        "lane": one.lane,
        "ord": order.pack(*one.ord),
        "type": _TYPE,
        "sender": _SENDER,
        "state": State.PENDING,
        "unread": True,
        "created_at": _NOW,
        "available_at": _NOW,
        "stored_at": _NOW,
        "purge_at": _NOW + timedelta(days=limits.KEEP_DAYS),
        "body": bytes(one.body),
    }
