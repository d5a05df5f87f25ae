"""Records on `receipts`: what became of notifications, keyed by user. Upstream services may read the topic too."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from clarion.contracts import limits
from clarion.contracts.ids import are_uuids, canonical
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Invalid, Name, decoded
from clarion.contracts.times import rfc3339

# Whoever said it has a clock of its own, and one that is off by more says nothing that could be put in order.
AHEAD_MOST: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Op(StrEnum):
    DELIVERED = "delivered"
    READ = "read"
    UNREAD = "unread"
    ARCHIVED = "archived"
    UNARCHIVED = "unarchived"
    RETRACTED = "retracted"
    EXPIRED = "expired"  # before anybody received it
    LAPSED = "lapsed"  # the same, of what was received: it leaves the inbox
    COLLAPSED = "collapsed"
    THROTTLED = "throttled"
    DEAD = "dead"


class Dead(msgspec.Struct, gc=False):
    """A use of an id that ended as a dead letter: whose it was, why, and from which record it was made."""

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
    """A retraction of an id that was not found: it may be on its way. Only what is of `sender` is retracted by it.

    None: whoever said it may retract anybody's.
    """

    sender: Name | None = None


class Receipt(msgspec.Struct, omit_defaults=True, gc=False):
    """`session` names the connection that said it, for tracing; `unstored` marks ids pushed before they were stored.

    `folded`: it is in the store already, what remains is to tell the user's devices. `dead` is there with that op: what
    is stored under the id is another use of it, and stays as it is. `unfound` is there with `retracted` of one id whose
    recipient nobody knows: `user` is the id itself, and once it is found a receipt of its recipient follows.
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
    v: int = msgspec.field(default_factory=lambda: 1)  # a factory, so that it is on the wire


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Receipt)


def encode(receipt: Receipt) -> bytes:
    return _encoder.encode(receipt)


def decode(value: bytes, now: datetime | None = None) -> Receipt:
    """Decode and check a record; with `now`, that it was not said in the future, too.

    Raises `Invalid`, whatever the bytes are, and nothing else: so one bad record never stops those after it.
    """
    receipt = decoded(_decoder, value)
    if not are_uuids(receipt.ids):
        receipt.ids = canonical(receipt.ids)
    if not are_uuids(receipt.ids):
        raise Invalid("/ids", "invalid", None, "an id is not a UUID")
    if receipt.unfound is not None and (receipt.op is not Op.RETRACTED or len(receipt.ids) != 1):
        raise Invalid("/unfound", "invalid", 1, "is of a retraction of one id")
    if receipt.at < _EPOCH:
        raise Invalid("/at", "out_of_range", rfc3339(_EPOCH), "is before 1970")
    if now is not None and receipt.at > now + AHEAD_MOST:
        raise Invalid("/at", "out_of_range", rfc3339(now + AHEAD_MOST), "is more than a day ahead of this clock")
    return receipt
