"""Notifications whose texts and recipients differ as real ones do: what is alike would be compressed to nothing."""

import random
from datetime import timedelta
from typing import Any, Final

from clarion.contracts import limits, order, times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.notification import Notification, Submission

_WORDS: Final = (
    *("call", "from", "meeting", "lead", "review", "comment", "approved", "changed", "missed", "new", "your", "the"),
    *("about", "on", "at", "with", "team", "build", "failed", "deploy", "ready", "invoice", "order", "shipped"),
    *("reminder", "tomorrow", "today", "Berlin", "Paris", "Oslo", "Anna", "Bob", "Chen", "Dana", "request", "merged"),
)
_TYPES: Final = ("call.missed", "lead.new", "meeting.soon", "review.requested")


def submission(recipient: str, lane: Lane) -> Submission:
    """Return a notification as a sender publishes it, with 8 words and 2 fields of data."""
    return Submission(recipient=recipient, type=random.choice(_TYPES), message=_text(), priority=lane, data=_data())


def notification(recipient: str, lane: Lane) -> Notification:
    """Return one as ingest writes it to Kafka."""
    return Notification(
        id=new_id(),
        type=random.choice(_TYPES),
        message=_text(),
        recipient=recipient,
        sender="bench",
        priority=lane,
        data=_data(),
        created_at=times.now(),
    )


def document(recipient: str, ordinal: int) -> dict[str, Any]:
    """Return a document with the fields that a lane gives one."""
    lane, now = random.choice(LANES), times.now()
    made = notification(recipient, lane)
    ord_ = order.pack(0, ordinal)
    return {
        "_id": made.id,
        "ord": ord_,
        "created_at": now,
        "available_at": now,
        "body": deliveries.body(made, lane, ord_),
        "type": made.type,
        "sender": made.sender,
        "recipient": recipient,
        "lane": lane.value,
        "stored_at": now,
        "state": "pending",
        "unread": True,
        "purge_at": now + timedelta(days=limits.KEEP_DAYS),
    }


def _text() -> str:
    return " ".join(random.choices(_WORDS, k=8))


def _data() -> dict[str, object]:
    return {"number": random.randrange(100_000), "url": f"https://example.org/items/{random.randbytes(8).hex()}"}
