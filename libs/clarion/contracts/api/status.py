"""What became of a notification, as its sender sees it."""

from datetime import datetime
from enum import StrEnum

import msgspec

from clarion.contracts.lanes import Lane


class State(StrEnum):
    """Where a notification stands. `expired`, `collapsed` and `retracted` are final."""

    SCHEDULED = "scheduled"  # held until `deliver_at`
    PENDING = "pending"
    DELIVERED = "delivered"
    READ = "read"
    EXPIRED = "expired"
    COLLAPSED = "collapsed"
    THROTTLED = "throttled"  # over its recipient's limit: in the inbox, but not pushed
    RETRACTED = "retracted"
    DEAD = "dead"  # never stored: its record is a dead letter


class DeadUse(msgspec.Struct):
    """A use of an id that was not delivered: the id had been used with other content, or the record is invalid."""

    at: datetime
    reason: str
    detail: str


class Status(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of a notification.

    Each `…_at` is there once its event has happened; `deliver_at` and `expires_at` are as they were published. A
    notification that was retracted before it was stored has only `id`, `state` and `retracted_at` until it is stored.

    `dead` has the latest uses of this id by this sender that ended as dead letters. `state` is not about these, unless
    it is `dead`: then nothing else is stored under the id.
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
