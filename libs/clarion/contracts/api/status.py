"""The sender's view of a notification: what became of it."""

from datetime import datetime
from enum import StrEnum

import msgspec

from clarion.contracts.lanes import Lane


class State(StrEnum):
    """Where a notification stands. It only ever moves on; `retracted` and what ended before it are final."""

    SCHEDULED = "scheduled"  # not in its lane yet
    PENDING = "pending"
    DELIVERED = "delivered"
    READ = "read"
    EXPIRED = "expired"
    ARCHIVED = "archived"
    COLLAPSED = "collapsed"
    THROTTLED = "throttled"  # in the inbox, not pushed
    RETRACTED = "retracted"
    DEAD = "dead"  # never stored: its record is a dead letter


class DeadUse(msgspec.Struct):
    """A use of the id that was not delivered, since the id was used before with other content, or it is invalid."""

    at: datetime
    reason: str
    detail: str


class Status(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Times are there once what they tell has happened; `deliver_at` and `expires_at` as they were published.

    What was retracted before it was stored has only `id`, `state` and `retracted_at` until it is.

    `dead`: the latest uses of this id by this sender that ended as dead letters; the state is not theirs, unless it is
    `dead`, too.
    """

    id: str
    state: State
    recipient: str | None = None
    sender: str | None = None
    type: str | None = None
    priority: Lane | None = None
    created_at: datetime | None = None
    deliver_at: datetime | None = None
    expires_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    expired_at: datetime | None = None
    collapsed_at: datetime | None = None
    retracted_at: datetime | None = None
    dead: list[DeadUse] = []
