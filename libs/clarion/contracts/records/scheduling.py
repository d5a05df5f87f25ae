"""When a notification is to be delivered: which times a sender may give, and on which topic it waits until then."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from clarion.contracts import limits
from clarion.contracts.records.notification import Content, Invalid, Notification
from clarion.contracts.times import rfc3339, truncate
from clarion.contracts.topics import Names

# A header of each notification that was held until it was due. Without it, a lane whose clock is behind would send the
# notification back.
RELEASED: Final = "clarion-released"
AHEAD: Final = timedelta(days=limits.DELIVER_AHEAD_DAYS)
LASTING: Final = timedelta(days=limits.EXPIRES_AHEAD_DAYS)


def check(content: Content, now: datetime) -> None:
    """Raise `Invalid` for times too far ahead, and for a notification that expires before it is delivered."""
    if content.expires_at is not None and content.expires_at - now > LASTING:
        days = limits.EXPIRES_AHEAD_DAYS
        detail = f"`expires_at` may be at most {days} days ahead: leave it out, and the notification does not expire"
        raise Invalid("/expires_at", "too_far", days, detail)
    if content.deliver_at is None:
        return
    if content.deliver_at - now > AHEAD:
        days = limits.DELIVER_AHEAD_DAYS
        raise Invalid("/deliver_at", "too_far", days, f"`deliver_at` may be at most {days} days ahead")
    if content.expires_at is not None and content.expires_at <= content.deliver_at:
        due = rfc3339(truncate(content.deliver_at))
        detail = "`expires_at` must be after `deliver_at`, or the notification expires before it is delivered"
        raise Invalid("/expires_at", "before_delivery", due, detail)


def was_released(headers: Iterable[tuple[str, bytes]]) -> bool:
    """Return whether a record with these headers was held until it was due."""
    return any(name == RELEASED for name, _ in headers)


def due(content: Content, now: datetime) -> datetime | None:
    """Return when a notification is to be delivered, or None if that is now."""
    return content.deliver_at if content.deliver_at is not None and content.deliver_at > now else None


def topic_of(names: Names, item: Notification, now: datetime) -> str:
    """Return the topic for a notification: its lane's, or the one of what is held until it is due."""
    return names.scheduled if due(item, now) else names.notifications(item.priority)
