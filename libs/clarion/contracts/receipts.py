"""Records on `receipts`: what became of notifications, keyed by user. Upstream services may read the topic too."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from clarion.contracts import limits


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


class Receipt(msgspec.Struct, omit_defaults=True, gc=False):
    """`session` names the connection that said it, for tracing; `unstored` marks ids pushed before they were stored.

    `folded`: it is in the store already, what remains is to tell the user's devices.
    """

    user: str
    op: Op
    ids: Annotated[list[str], Meta(max_length=limits.IDS_PER_FRAME)]
    at: Annotated[datetime, Meta(tz=True)]
    session: str | None = None
    unstored: bool = False
    folded: bool = False
    v: int = msgspec.field(default_factory=lambda: 1)  # a factory, so that it is on the wire


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Receipt)


def encode(receipt: Receipt) -> bytes:
    return _encoder.encode(receipt)


def decode(value: bytes) -> Receipt:
    """Raises msgspec.DecodeError or UnicodeDecodeError."""
    return _decoder.decode(value)
