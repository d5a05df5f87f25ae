"""Notifications as lanes store them, and the delivery records with which they emit them."""

from datetime import timedelta

import msgspec

from clarion.contracts import order, times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Addressed, Items
from clarion.contracts.records.notification import Notification
from clarion.store.driver.database import Document


def document(user: str, ord_: int, *, lane: Lane = Lane.NORMAL, **more: object) -> Document:
    now = times.now()
    item = Notification(
        id=new_id(), type="t", message=str(ord_), recipient=user, sender="s", created_at=now, priority=lane
    )
    body = deliveries.body(item, lane, order.pack(0, ord_))
    base: Document = {"_id": item.id, "recipient": user, "lane": lane, "ord": ord_, "type": "t", "sender": "s"}
    state: Document = {"state": "pending", "unread": True, "created_at": now, "stored_at": now, "body": body}
    return base | state | {"purge_at": now + timedelta(days=30)} | more


def emission(of: Document) -> bytes:
    """The delivery record with which a lane emits it."""
    place, body = order.unpack(of["ord"]), msgspec.Raw(of["body"])
    return deliveries.encode(Items([Addressed(of["recipient"], of["lane"], place, of["_id"], body)]))
