"""Records on `receipts`: what became of notifications, keyed by user. Upstream services may read the topic, too."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from clarion.contracts import limits, trace
from clarion.contracts.ids import are_uuids, canonical
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Invalid, Name, decoded
from clarion.contracts.times import rfc3339

# A receipt's time is of its writer's clock. From one that is ahead by more, no order of events can be told.
AHEAD_MOST: Final = timedelta(days=1)
_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Op(StrEnum):
    """What happened to notifications."""

    DELIVERED = "delivered"
    READ = "read"
    UNREAD = "unread"
    ARCHIVED = "archived"
    UNARCHIVED = "unarchived"
    RETRACTED = "retracted"
    EXPIRED = "expired"  # before a device received it
    LAPSED = "lapsed"  # expired after a device received it: it leaves the inbox
    COLLAPSED = "collapsed"
    THROTTLED = "throttled"
    DEAD = "dead"


class Dead(msgspec.Struct, gc=False):
    """A use of an id that ended as a dead letter: by whom, why, and from which record."""

    sender: str
    type: str
    priority: Lane
    created_at: Annotated[datetime, Meta(tz=True)]
    reason: str
    error: str
    topic: str
    partition: int
    offset: int


class Unfound(msgspec.Struct, omit_defaults=True, gc=False):
    """A retraction of an id that was not found, since its notification may be on its way.

    It retracts only a notification of `sender`; without one it retracts anybody's (scope `publish:any`).
    """

    sender: Name | None = None


class Receipt(msgspec.Struct, omit_defaults=True, gc=False):
    """What became of notifications of one user, at one moment.

    `session` names the connection that said it, for tracing. `unstored` marks ids that were pushed before they were
    stored. `folded` says that the store has the change already, and only the user's devices are still to be told.
    `dead` is set with the op `dead`: what is stored under the id is another use of it, and stays as it is. `unfound` is
    set with `retracted` of one id whose recipient is not known: `user` is then the id itself, and once the notification
    is found, a receipt of its recipient follows. `traceparent` travels as the record's header, not in its value; a
    receipt that has one is of one id.
    """

    user: Name
    op: Op
    ids: Annotated[list[str], Meta(max_length=limits.IDS_PER_FRAME)]
    at: Annotated[datetime, Meta(tz=True)]
    session: str | None = None
    unstored: bool = False
    folded: bool = False
    dead: Dead | None = None
    unfound: Unfound | None = None
    traceparent: str | None = None
    v: int = msgspec.field(default_factory=lambda: 1)  # a factory, so that 1 is encoded, too


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Receipt)


def encode(receipt: Receipt) -> bytes:
    """Return a receipt as a record's value."""
    if receipt.traceparent is not None:
        receipt = msgspec.structs.replace(receipt, traceparent=None)
    return _encoder.encode(receipt)


def headers(receipt: Receipt) -> list[tuple[str, bytes]]:
    """Return the headers of a receipt's record."""
    return [] if receipt.traceparent is None else [(trace.TRACEPARENT, receipt.traceparent.encode())]


def decode(value: bytes, now: datetime | None = None) -> Receipt:
    """Decode and check a record. With `now`, check also that its time is at most a day ahead.

    Raise `Invalid`, whatever the bytes are, and nothing else: so one bad record never stops those after it.
    """
    receipt = decoded(_decoder, value)
    if not are_uuids(receipt.ids):
        receipt.ids = canonical(receipt.ids)
    if not are_uuids(receipt.ids):
        raise Invalid("/ids", "invalid", None, "an id is not a UUID")
    if receipt.unfound is not None and (receipt.op is not Op.RETRACTED or len(receipt.ids) != 1):
        raise Invalid("/unfound", "invalid", 1, "`unfound` belongs to a receipt that retracts one id")
    if receipt.at < _UNIX_EPOCH:
        raise Invalid("/at", "out_of_range", rfc3339(_UNIX_EPOCH), "the time is before 1970")
    if now is not None and receipt.at > now + AHEAD_MOST:
        latest = rfc3339(now + AHEAD_MOST)
        raise Invalid("/at", "out_of_range", latest, "the time is more than a day ahead of this process's clock")
    return receipt
