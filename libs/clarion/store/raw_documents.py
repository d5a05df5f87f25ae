"""New notifications as BSON, put together from parts. The parts that a window's documents share are encoded once.

Making a `dict` of each and encoding that costs a lane twice as much. The documents hold the same as with the driver's
own encoder, and the driver copies these bytes as they are.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, Final, Protocol

import bson
from bson.raw_bson import RawBSONDocument

from clarion.contracts import limits
from clarion.contracts.ids import ID_CHARS
from clarion.contracts.lanes import Lane
from clarion.store.notifications import State

# size, `_id`, `ord`, `created_at`, `available_at`, and the start of `body`, which comes next
_HEAD: Final = Struct(f"<i9s{ID_CHARS}s6sq12sq14sq6siB")
_ID: Final = b"\x02_id\0" + (ID_CHARS + 1).to_bytes(4, "little")
_ORD: Final = b"\0\x12ord\0"
_CREATED_AT: Final = b"\x09created_at\0"
_AVAILABLE_AT: Final = b"\x09available_at\0"
_BODY: Final = b"\x05body\0"
_RECIPIENT: Final = b"\x02recipient\0"
_LENGTH: Final = Struct("<i")
_KEEP_AT_MOST: Final = timedelta(days=limits.EXPIRES_AHEAD_DAYS)
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class New(Protocol):
    """What is stored of a new notification. `body` is the client's item as encoded JSON."""

    id: str
    recipient: str
    type: str
    sender: str
    created_at: datetime
    available_at: datetime
    expires_at: datetime | None
    deliver_at: datetime | None
    collapse_key: str | None
    ord: int
    body: bytes
    expired: bool
    throttled: bool


class _Document(RawBSONDocument):
    """A document that was put together here, so that nobody needs to check its size: that takes most of making one.

    The driver reads `raw` only. Whatever else is asked of it makes it whole first.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw  # pyright: ignore[reportIncompatibleMethodOverride, reportAttributeAccessIssue]

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(f"_{RawBSONDocument.__name__}__"):
            raise AttributeError(name)
        super().__init__(self.raw)
        return getattr(self, name)


def encode(entries: Iterable[New], lane: Lane, now: datetime, keep_until: datetime) -> list[RawBSONDocument]:
    """Return the documents of a window that is stored `now`. Raises ValueError for an id of the wrong length.

    Each is purged at `keep_until`, or when it expires if that is later, but after `limits.EXPIRES_AHEAD_DAYS` at the
    latest: otherwise nothing would ever be purged of a sender who sets a date that means "never".
    """
    at_most = now + _KEEP_AT_MOST
    shared = {"lane": str(lane.value), "stored_at": now}
    plain = _rest(shared | {"state": str(State.PENDING.value), "unread": True, "purge_at": keep_until})
    named: dict[tuple[str, str], bytes] = {}
    documents: list[RawBSONDocument] = []
    for entry in entries:
        body, id_ = entry.body, entry.id.encode()
        if len(id_) != ID_CHARS:
            raise ValueError(f"the id {entry.id!r} does not have {ID_CHARS} characters")
        names = named.get((entry.type, entry.sender))
        if names is None:
            names = _fields({"type": entry.type, "sender": entry.sender}) + _RECIPIENT
            named[entry.type, entry.sender] = names
        if entry.expires_at or entry.deliver_at or entry.collapse_key or entry.expired or entry.throttled:
            rest = _rest(shared | _particulars(entry, keep_until, at_most))
        else:
            rest = plain
        recipient = entry.recipient.encode()
        size = _HEAD.size + len(body) + len(names) + _LENGTH.size + len(recipient) + len(rest)
        created_at = _milliseconds(entry.created_at)
        available_at = created_at if entry.available_at is entry.created_at else _milliseconds(entry.available_at)
        moments = _CREATED_AT, created_at, _AVAILABLE_AT, available_at
        head = _HEAD.pack(size, _ID, id_, _ORD, entry.ord, *moments, _BODY, len(body), 0)
        raw = b"".join((head, body, names, _LENGTH.pack(len(recipient) + 1), recipient, rest))
        documents.append(_Document(raw))
    return documents


def _fields(document: dict[str, Any]) -> bytes:
    """Return a document's encoded fields, without its size in front and its end."""
    return bson.encode(document)[4:-1]


def _rest(document: dict[str, Any]) -> bytes:
    """Return the end of a document, from the end of the string in front of these fields on."""
    return b"\0" + _fields(document) + b"\0"


def _particulars(entry: New, keep_until: datetime, at_most: datetime) -> dict[str, Any]:
    """Return the fields that only some entries have, and those whose values differ for them."""
    pushed = not (entry.expired or entry.throttled)
    state = State.PENDING if pushed else State.EXPIRED if entry.expired else State.THROTTLED
    fields: dict[str, Any] = {
        "state": str(state.value),
        "unread": None if entry.expired else True,
        "purge_at": min(max(entry.expires_at, keep_until), at_most) if entry.expires_at else keep_until,
    }
    optional = {"expires_at": entry.expires_at, "deliver_at": entry.deliver_at, "collapse_key": entry.collapse_key}
    fields |= {name: value for name, value in optional.items() if value}
    if pushed:
        return fields
    return fields | {"deferred" if entry.throttled and entry.collapse_key else "unannounced": True}


def _milliseconds(moment: datetime) -> int:
    since = moment - _UNIX_EPOCH
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000
