"""Judges what a client's `resume` is worth: how far it has handled each lane, and until when it missed nothing. Pure.

A device has kept this for as long as it was away, so none of it needs to be right. What it does not tell costs a longer
look back, and the client is told to read its inbox, so that it never misses something without knowing.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from clarion.contracts import order
from clarion.contracts.api.frames import Resume
from clarion.contracts.lanes import Lane
from services.gateway.client.feed import RESUME_MARGIN, Feed

Beyond = Callable[[str, Mapping[Lane, int]], Awaitable[set[Lane] | None]]

OLDEST_SINCE: Final = timedelta(days=1)  # how far the store is read back for a client, at most


class Trusted(NamedTuple):
    """The part of a `resume` that counts.

    `acknowledges` says that its cursors are certain to be of today's lanes, so they acknowledge what is pending at or
    below them. `forget` has the lanes whose cursors do not count. `is_foreign` says that nothing of the `resume`
    counts.
    """

    frame: Resume
    acknowledges: bool
    forget: list[Lane]
    is_foreign: bool = False


async def trust(frame: Resume, user: str, deployment: str, beyond: Beyond) -> Trusted:
    """Leave out what was kept for another user or deployment, or of a lane that is not there any more (D-cursor-known).

    While nobody can tell where the lanes end, cursors are believed, since nothing comes live then that they could drop.
    But they acknowledge nothing: what is pending below them stays pending, and the safety net sends it.
    """
    if frame.user not in (UNSET, user) or frame.deployment not in (UNSET, deployment):
        return Trusted(Resume(), acknowledges=False, forget=sorted(frame.cursors), is_foreign=True)
    if not frame.cursors:
        return Trusted(frame, acknowledges=False, forget=[])
    ahead = await beyond(user, {lane: order.pack(*ord_) for lane, ord_ in frame.cursors.items()})
    if ahead is None:
        return Trusted(frame, acknowledges=False, forget=[])
    cursors = {lane: ord_ for lane, ord_ in frame.cursors.items() if lane not in ahead}
    return Trusted(replace(frame, cursors=cursors), acknowledges=True, forget=sorted(ahead))


class Resumed(NamedTuple):
    """What a feed has taken over.

    `is_short` says that what other devices have acknowledged may be missing from what the client gets.
    """

    cursors: dict[Lane, int]
    is_short: bool


def take_over(feed: Feed, frame: Resume) -> Resumed:
    """Have the feed begin where the client was.

    A client that brings nothing is fresh, and is owed what is pending.
    """
    cursors = {lane: order.pack(*ord_) for lane, ord_ in frame.cursors.items()}
    if not cursors and frame.since is None:
        feed.resume({}, None)
        return Resumed({}, is_short=False)
    since, oldest = _moment(frame.since), feed.opened - OLDEST_SINCE
    # a gateway whose clock is ahead may have told a `since` that lies a little in the future, but never further
    is_known = since is not None and oldest <= since <= feed.opened + RESUME_MARGIN
    feed.resume(cursors, since if is_known else oldest)
    return Resumed(cursors, is_short=not is_known)


def _moment(since: str | None) -> datetime | None:
    """Return a `since` as a moment; None for what no gateway has told, such as a time without a zone."""
    try:
        moment = datetime.fromisoformat(since or "")
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
