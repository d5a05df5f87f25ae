"""Notifications whose texts and recipients differ as real ones do: what is alike would be compressed to nothing."""

import random
from typing import Final

from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
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


def _text() -> str:
    return " ".join(random.choices(_WORDS, k=8))


def _data() -> dict[str, object]:
    return {"number": random.randrange(100_000), "url": f"https://example.org/items/{random.randbytes(8).hex()}"}
