"""What one connection has been sent and may be sent: its cursors, and what it reads from the store. Pure.

Each lane is either live (items are pushed as they come) or catching up (items are read from the store, in order; live
ones are dropped and the highest marked). A lane falls back to catching up when credit runs out, so no connection ever
has a queue: what it cannot take now stays in the store. Of what a read found the rest may be kept `ahead` for a moment,
so that credit that returns at once needs no read; it may be let go of at any time, and is read again then.

Ids like D-live-mark name the rules of delivery, see `docs/delivery.md`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.limits import CREDIT_BYTES, CREDIT_ITEMS, CREDIT_URGENT_ITEMS, EARLY_BYTES, EARLY_ITEMS
from services.gateway.client.credit import URGENT, Credit, OutgoingItem

START: Final = -1  # below the first ord
FRESH_MARGIN: Final = timedelta(seconds=5)
RESUME_MARGIN: Final = timedelta(minutes=15)
LOOK_BACK_MOST: Final = timedelta(minutes=30)  # of many at once: beyond that each reads for itself
DELIVERED_REPLAYS: Final = 1_000  # items of other devices read again before it is live again; beyond that `resync`
AHEAD_BYTES: Final = CREDIT_BYTES  # of what one read found, at most so much is kept until there is credit for it


@dataclass(frozen=True, slots=True)
class Read:
    """A catch-up read that was issued: what of the lane after `after`, and the mark that stood then."""

    lane: Lane
    after: int
    mark: int
    limit: int
    falls: int


class Found(NamedTuple):
    """What a read found, in order, or the rest of it; `delivered`: where there is what other devices acknowledged."""

    issued: Read
    items: Sequence[OutgoingItem]
    delivered: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class LookBack:
    """How far back a connection that arrives has to look: since when, and how often it had fallen behind then."""

    since: datetime
    falls: int


class _Lane(msgspec.Struct, gc=False):
    cursor: int = START
    mark: int = START
    live: bool = False


@dataclass(slots=True)
class Feed(Credit):
    opened: datetime
    since: datetime
    fresh: bool = True
    paused: bool = False  # the transport's write buffer is full
    delivered_replays: int = 0
    falls: int = 0  # how often something may have been missed
    is_live: bool = False  # every lane is
    ahead: Found | None = None
    _lanes: dict[Lane, _Lane] = field(default_factory=lambda: {lane: _Lane() for lane in LANES})

    # ---- resume

    def resume(self, cursors: dict[Lane, int], since: datetime | None) -> None:
        """Take over how far the client had handled each lane; it catches up from there."""
        self.ahead = None  # it may have to look back further
        for lane, cursor in cursors.items():
            state = self._lanes[lane]
            state.cursor = max(state.cursor, cursor)
            state.live = self.is_live = False
        if since is not None:
            self.fresh, self.since = False, min(since, self.opened)

    # ---- live

    def offer(self, items: Iterable[OutgoingItem]) -> tuple[list[OutgoingItem], int]:
        """The items to push now, and how many were repeats. The rest is marked, to be read when there is credit."""
        push: list[OutgoingItem] = []
        repeats, left, left_bytes = 0, CREDIT_ITEMS - self._items, CREDIT_BYTES - self._bytes
        for item in items:
            lane, size = self._lanes[item.lane], len(item.body)
            kept = 0 if item.lane is URGENT else CREDIT_URGENT_ITEMS
            if item.ord <= lane.cursor:
                repeats += 1
            elif lane.live and not self.paused and left > kept and left_bytes >= size:
                lane.cursor = item.ord
                left -= 1
                left_bytes -= size
                push.append(item)
            else:
                lane.live = self.is_live = False
                lane.mark = max(lane.mark, item.ord)
        return push, repeats

    def offer_early(self, items: Iterable[OutgoingItem]) -> list[OutgoingItem]:
        """What to push of items that are not stored yet: in any state (D-early-any-state), moving no cursor.

        See D-early-no-cursor. The rest is dropped: once it is stored, it comes again. A client that takes nothing, or
        acknowledges nothing, gets no more of them, so that what is sent to it stays bounded.
        """
        push: list[OutgoingItem] = []
        size = self._bytes
        for item in items:
            size += len(item.body)
            beyond = self._items + len(push) >= CREDIT_ITEMS + EARLY_ITEMS or size > CREDIT_BYTES + EARLY_BYTES
            if self.paused or beyond:
                break
            push.append(item)
        return push

    def fall_behind(self) -> None:
        """What came may have been missed (a position outside retention): every lane reads on from its cursor.

        See D-overrun-reads. Reads and lookups that are under way do not count (D-gap-read, D-gap-ask).
        """
        self.falls += 1
        for lane in self._lanes.values():
            lane.live = self.is_live = False

    # ---- catching up

    def look_back(self) -> LookBack | None:
        """What to ask on its behalf when many arrive at once; None when that is too much to ask about."""
        since = self.delivered_since()
        return LookBack(since, self.falls) if since and self.opened - since <= LOOK_BACK_MOST else None

    def nothing_pending(self, asked: LookBack, pending: Set[Lane], delivered: Mapping[Lane, int]) -> None:
        """Go live in each lane but those with something `pending`, if what was `delivered`, up to there, was handled.

        The session was stored before that was asked (D-ask-after-session). As with a read, whatever came in the
        meantime is marked, and a lane with a mark above its cursor has to read (D-live-at-once).
        """
        since = self.delivered_since()
        if asked.falls != self.falls or since is None or since < asked.since:
            return  # something may have been missed meanwhile (D-gap-ask), or `resume` came late and looks back further
        for name, lane in self._lanes.items():
            if name not in pending:
                lane.live = lane.live or max(lane.mark, delivered.get(name, START)) <= lane.cursor
        self.is_live = all(lane.live for lane in self._lanes.values())

    def next_read(self, most: int = 0) -> Read | None:
        """The next read to issue, urgent first; None when every lane is live or there is no credit.

        Of as many items as credit takes, or `most`, if that is more: then what is found may be kept ahead.
        """
        for name, lane in self._lanes.items():
            if lane.live:
                continue
            limit = self._room(name)
            if limit > 0 and self._bytes + self._coming_bytes(name) <= CREDIT_BYTES and not self.paused:
                return Read(name, lane.cursor, lane.mark, max(limit, most), self.falls)
        return None

    def found(self, issued: Read, items: Sequence[OutgoingItem], delivered: Sequence[int] = ()) -> list[OutgoingItem]:
        """As `read`, of a read that is just answered. Of large items, or many of other devices', some are left out."""
        replays = max(1, DELIVERED_REPLAYS - self.delivered_replays)
        last = delivered[replays - 1] if len(delivered) > replays else None
        size = 0
        for place, item in enumerate(items):
            size += len(item.body)
            if (size > AHEAD_BYTES and place) or (last is not None and item.ord > last):
                issued, items = replace(issued, limit=place), items[:place]
                delivered = delivered[: bisect_right(delivered, items[-1].ord)]
                break
        return self.read(issued, items, delivered)

    def more(self) -> list[OutgoingItem] | None:
        """The items to send of what was kept ahead; None without credit, or when something has to be read first."""
        issued = self.next_read()
        if issued is None or self.ahead is None or self.ahead.issued.lane is not issued.lane:
            return None
        return self.read(*self.ahead)

    def read(self, issued: Read, items: Sequence[OutgoingItem], delivered: Sequence[int] = ()) -> list[OutgoingItem]:
        """The items to send of what a read found; what there is no credit for is kept ahead.

        When it found the last ones the lane may go live.
        """
        lane = self._lanes[issued.lane]
        self.ahead = None
        send: list[OutgoingItem] = []
        room = 0 if self.paused else self._room(issued.lane)
        left = CREDIT_BYTES - self._bytes
        for place, item in enumerate(items):
            if item.ord <= lane.cursor:
                continue
            left -= len(item.body)
            if len(send) >= room or left < 0:
                handled = bisect_right(delivered, lane.cursor)
                self.delivered_replays += handled
                self.ahead = Found(replace(issued, limit=issued.limit - place), items[place:], delivered[handled:])
                return send
            lane.cursor = item.ord
            send.append(item)
        self.delivered_replays += len(delivered)
        if len(items) < issued.limit and issued.falls == self.falls:
            # what was marked when the read was issued is sent, or was retracted or expired since (D-mark-passed)
            lane.cursor = max(lane.cursor, issued.mark)
            # live in the same step as the last of it is sent: nothing can come between (D-live-sent, D-live-mark)
            lane.live = lane.mark <= lane.cursor
            self.is_live = all(lane.live for lane in self._lanes.values())
            if self.is_live:
                self.delivered_replays = 0  # falling behind once more is another matter
        return send

    def delivered_since(self) -> datetime | None:
        """From when on to read what another device has acknowledged (D-read-delivered); None once that is too much."""
        if self.delivered_replays >= DELIVERED_REPLAYS:
            return None
        margin = self.since - RESUME_MARGIN
        return max(margin, self.opened - FRESH_MARGIN) if self.fresh else margin

    def advance_since(self, caught_up: datetime | None) -> datetime:
        """Move `since` to when the mailbox was last read to its end, while live (D-since-live); return it."""
        if caught_up is not None and caught_up > self.since and self.is_live:
            self.since = caught_up
        return self.since

    def _coming_bytes(self, lane: Lane) -> int:
        """Of what comes next in a lane, at least."""
        return len(self.ahead.items[0].body) if self.ahead and self.ahead.issued.lane is lane else 1
