"""What a notification says, as a digest that is the same for its record and for what is stored of it. Pure.

A lane compares two uses of an id by what `Entry.says_the_same` looks at, and so does this digest: it leaves out the id,
`created_at` and the order, and takes 1, 1.0 and true for the same number, as Python does.
"""

from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, cast

import msgspec

from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.notification import Notification
from clarion.contracts.times import rfc3339
from clarion.store.driver.database import Document

Said = tuple[object, ...]  # type, message, sender, data, expires_at and lane

DIGEST_BYTES: Final = 16
_encoder: Final = msgspec.json.Encoder(order="deterministic")


def of_notification(item: Notification, lane: Lane) -> bytes:
    """Return the digest of a notification that was published to `lane`."""
    expires_at = rfc3339(item.expires_at) if item.expires_at else None
    said = (item.type, item.message, item.sender, item.data, expires_at, lane)
    return _digest(item.recipient, item.collapse_key, item.deliver_at, said)


def said_by(body: bytes) -> Said | None:
    """Return what the body of a stored notification says; None when it cannot be read."""
    try:
        return deliveries.content(body)
    except (ValueError, msgspec.MsgspecError):
        return None


def of_stored(document: Document, said: Said | None) -> bytes:
    """Return the digest of a stored notification whose body says `said`; an empty one when that cannot be read."""
    if said is None:
        return b""
    return _digest(document.get("recipient"), document.get("collapse_key"), document.get("deliver_at"), said)


def _digest(recipient: str | None, collapse_key: str | None, deliver_at: datetime | None, said: Said) -> bytes:
    type_, message, sender, data, expires_at, lane = said
    due = rfc3339(deliver_at) if isinstance(deliver_at, datetime) else None
    parts = (recipient, collapse_key, due, type_, message, sender, _plain(data), expires_at, lane)
    return blake2b(_encoder.encode(parts), digest_size=DIGEST_BYTES).digest()


def _plain(value: Any) -> Any:
    """Return a value in which numbers that are equal are written alike."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return value
