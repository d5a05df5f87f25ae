"""What the fields of stored and held notifications say, and where they contradict their state. Pure.

Each rule here follows from what `store/updates` and the lanes write; docs/ledger.md lists them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clarion.contracts import order
from clarion.contracts.api.status import State
from clarion.contracts.lanes import Lane
from clarion.operating.ledger.judging import content
from clarion.operating.ledger.judging.states import HOMES
from clarion.store.driver.database import Document
from clarion.store.scheduled import Held

STORED_FIELDS: Final = (
    *("recipient", "sender", "type", "lane", "ord", "state", "stub", "unread", "archived", "late", "body"),
    *("collapse_key", "deliver_at", "expires_at", "created_at", "stored_at", "purge_at"),
    *("delivered_at", "read_at", "expired_at", "collapsed_at", "retracted_at"),
)
# whether a held notification has its record is asked for, since the record itself would cost its transfer
HELD_FIELDS: Final[Document] = {
    **dict.fromkeys(("recipient", "sender", "state", "due", "created_at", "digest", "purge_at"), 1),
    "released_at": 1,
    "retracted_at": 1,
    "has_value": {"$ne": [{"$type": "$value"}, "missing"]},
}

_ALWAYS: Final = ("recipient", "sender", "type", "lane", "ord", "created_at", "stored_at", "purge_at")
_HELD_ALWAYS: Final = ("recipient", "sender", "due", "created_at", "digest")
_UNANSWERED: Final = object()
# The time that only this state has.
_END_OF: Final = {State.COLLAPSED: "collapsed_at", State.RETRACTED: "retracted_at"}
# by their names, since an audit looks up millions
_STATES: Final = {str(state): state for state in HOMES}
_LANES: Final = {str(lane): lane for lane in Lane}
_HELD_STATES: Final = {str(state): state for state in Held}


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored notification, as far as the ledger looks at it. `state` is None if the store has none that exists."""

    id: str
    recipient: str
    sender: str
    lane: Lane | None
    ord: int
    state: State | None
    content: bytes
    stored_at: datetime | None
    contradictions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notification in the collection of held ones, whether it still waits or not."""

    id: str
    recipient: str
    sender: str
    state: Held | None
    digest: bytes
    due: datetime | None
    created_at: datetime | None
    retracted_at: datetime | None
    contradictions: tuple[str, ...] = ()


def kept_of(document: Document) -> Kept:
    """Return a stored notification that is no stub."""
    state = str(document.get("state"))
    said = content.said_by(_bytes(document.get("body")))
    return Kept(
        id=document["_id"],
        recipient=str(document.get("recipient", "")),
        sender=str(document.get("sender", "")),
        lane=_LANES.get(str(document.get("lane"))),
        ord=_whole(document.get("ord")),
        state=_STATES.get(state),
        content=content.of_stored(document, said),
        stored_at=_moment(document.get("stored_at")),
        contradictions=(*_contradictions(document, state), *_of_body(document, said)),
    )


def waiting_of(document: Document) -> Waiting:
    """Return a held notification."""
    state = str(document.get("state"))
    return Waiting(
        id=document["_id"],
        recipient=str(document.get("recipient", "")),
        sender=str(document.get("sender", "")),
        state=_HELD_STATES.get(state),
        digest=_bytes(document.get("digest")),
        due=_moment(document.get("due")),
        created_at=_moment(document.get("created_at")),
        retracted_at=_moment(document.get("retracted_at")),
        contradictions=tuple(_held_contradictions(document, state)),
    )


def _contradictions(document: Document, state: str) -> Iterator[str]:
    """Yield, in words, where the fields of a stored notification contradict its state or each other."""
    yield from _lacking(document, _ALWAYS)
    if state not in _STATES:
        yield f"`state` is {state!r}, which nothing that is stored has"
        return
    unread, is_archived = document.get("unread", _UNANSWERED), document.get("archived") is True
    match _STATES[state]:
        case State.PENDING:
            if unread is not True:
                yield "it is pending and not unread"
            if is_archived:
                yield "it is pending and archived"
            if not document.get("late"):  # one that a limit held back may have been read before it was shown
                yield from _having(document, state, "delivered_at", "read_at")
        case State.DELIVERED:
            yield from _lacking(document, ["delivered_at"])
        case State.READ:
            yield from _lacking(document, ["delivered_at", "read_at"])
        case State.EXPIRED if "expired_at" not in document and "expires_at" not in document:
            yield "it is expired and has neither `expires_at` nor `expired_at`"
        case State.COLLAPSED:
            yield from _lacking(document, ["collapse_key", "collapsed_at"])
        case State.RETRACTED:
            yield from _lacking(document, ["retracted_at"])
        case State.THROTTLED if document.get("lane") == Lane.URGENT:
            yield "it is throttled in the urgent lane, which has no limit"
        case _:
            pass
    if state in (State.EXPIRED, State.COLLAPSED, State.RETRACTED) and unread is not None:
        yield f"it is {state} and still in the inbox"
    if unread not in (True, False, None):
        yield "`unread` is missing"
    if is_archived and unread is not None:
        yield "it is archived and still in the inbox"
    if state != State.RETRACTED and "expired_at" in document and unread is not None:
        yield "it has expired and is still in the inbox"
    for other, moment in _END_OF.items():
        if state != other:
            yield from _having(document, state, moment)


def _of_body(document: Document, said: content.Said | None) -> Iterator[str]:
    """Yield, in words, where the body of a stored notification is not that of its fields."""
    if said is None:
        yield "its body is missing, or cannot be read"
        return
    type_, _, sender, _, _, lane = said
    if (type_, sender, lane) != (document.get("type"), document.get("sender"), document.get("lane")):
        yield "its body has another type, sender or lane"
    generation, offset = order.unpack(_whole(document.get("ord")))
    if not bytes(document["body"]).endswith(f'"ord":[{generation},{offset}]}}'.encode()):
        yield "its body has another `ord`"


def _held_contradictions(document: Document, state: str) -> Iterator[str]:
    """Yield, in words, where the fields of a held notification contradict its state."""
    yield from _lacking(document, _HELD_ALWAYS)
    if state not in _HELD_STATES:
        yield f"`state` is {state!r}, which nothing that is held has"
        return
    if (state == Held.WAITING) != bool(document.get("has_value")):
        yield "it waits without its record" if state == Held.WAITING else f"it is {state} and still has its record"
    if state == Held.WAITING:
        yield from _having(document, state, "purge_at", "released_at", "retracted_at")
    else:
        yield from _lacking(document, ["purge_at", f"{state}_at"])


def _lacking(document: Document, names: Iterable[str]) -> Iterator[str]:
    return (f"`{name}` is missing" for name in names if document.get(name) is None)


def _having(document: Document, state: str, *names: str) -> Iterator[str]:
    return (f"it is {state} and has `{name}`" for name in names if name in document)


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _whole(value: object) -> int:
    return value if isinstance(value, int) else -1


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes) else b""
