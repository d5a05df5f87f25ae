"""Decides what one connection is sent: it keeps the cursors, and says what to read from the store. Pure.

Each lane is either live or catching up. In a live lane, items are pushed as they come. In a lane that catches up, items
are read from the store in order; live items are dropped, and the highest `ord` among them is kept as the high-water
mark. A lane falls back to catching up when credit runs out, so a connection never has a queue: what it cannot take now
stays in the store. What a read found beyond credit may be kept `ahead` for a moment, so that credit that returns at
once needs no other read. It may be dropped at any time; then it is read again.

Ids such as D-live-mark name the rules of delivery, see `docs/delivery.md`.
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
# Reads look back by a margin, since clocks differ and receipts wait to be folded.
FRESH_MARGIN: Final = timedelta(seconds=5)  # before a fresh connection opened
RESUME_MARGIN: Final = timedelta(minutes=15)  # before the `since` of a client that resumes
LOOK_BACK_MOST: Final = timedelta(minutes=30)  # in a lookup for many users; one that needs more reads alone
DELIVERED_REPLAYS: Final = 1_000  # items that other devices acknowledged, until it is live again; then `resync`
AHEAD_BYTES: Final = CREDIT_BYTES  # what is kept of one read until there is credit for it


@dataclass(frozen=True, slots=True)
class CatchUpRead:
    """A catch-up read that was issued, for at most `limit` items of `lane` after the cursor `after`.

    `high_water` is the high-water mark and `falls` the value of `Feed.falls` when the read was issued.
    """

    lane: Lane
    after: int
    high_water: int
    limit: int
    falls: int


class Found(NamedTuple):
    """What a read found, in order, or the part of it that is not sent yet.

    `delivered` has the `ord` of each item that another device has acknowledged.
    """

    issued: CatchUpRead
    items: Sequence[OutgoingItem]
    delivered: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class LookBack:
    """How far back the connect lookup has to look for a connection: to `since`.

    `falls` is the value of `Feed.falls` when this was decided.
    """

    since: datetime
    falls: int


class _Lane(msgspec.Struct, gc=False):
    """One lane of a connection: its cursor, its high-water mark, and whether it is live."""

    cursor: int = START
    high_water: int = START
    live: bool = False


@dataclass(slots=True)
class Feed(Credit):
    """Decides what one connection is sent, and remembers what it was sent.

    `opened` is when the connection opened, and `since` the time up to which its client has missed nothing. `fresh` says
    that the client resumes nothing.
    """

    opened: datetime
    since: datetime
    fresh: bool = True
    paused: bool = False  # the transport's write buffer is full
    delivered_replays: int = 0  # counted against DELIVERED_REPLAYS
    replayed: int = 0  # items that were sent from the store since every lane was live; counted by `CatchUp`
    falls: int = 0  # how often something may have been missed
    is_live: bool = False  # whether every lane is live
    ahead: Found | None = None
    _lanes: dict[Lane, _Lane] = field(default_factory=lambda: {lane: _Lane() for lane in LANES})

    # ---- resume

    def resume(self, cursors: dict[Lane, int], since: datetime | None) -> None:
        """Take over how far the client has handled each lane; the lanes in `cursors` catch up from there."""
        self.ahead = None  # the client may have to look back further than that read did
        for lane, cursor in cursors.items():
            state = self._lanes[lane]
            state.cursor = max(state.cursor, cursor)
            state.live = self.is_live = False
        if since is not None:
            self.fresh, self.since = False, min(since, self.opened)

    # ---- live

    def offer(self, items: Iterable[OutgoingItem]) -> tuple[list[OutgoingItem], int]:
        """Return the items to push now, and how many were repeats.

        All others raise their lane's high-water mark, and are read from the store once there is credit.
        """
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
                lane.high_water = max(lane.high_water, item.ord)
        return push, repeats

    def offer_early(self, items: Iterable[OutgoingItem]) -> list[OutgoingItem]:
        """Return which items to push of those that are not stored yet.

        They are pushed in any state of the lane (D-early-any-state) and move no cursor (D-early-no-cursor). The rest is
        dropped, and comes again once it is stored. A client that takes nothing, or acknowledges nothing, gets no more
        of them, so that what is sent and not acknowledged stays bounded.
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
        """Have every lane read on from its cursor, since records of the mailbox may have been missed (D-overrun-reads).

        Reads and lookups that are under way make no lane live then (D-gap-read, D-gap-ask).
        """
        self.falls += 1
        for lane in self._lanes.values():
            lane.live = self.is_live = False

    # ---- catching up

    def look_back(self) -> LookBack | None:
        """Return what the connect lookup has to ask for this connection.

        None when that reaches too far back to ask for many users at once.
        """
        since = self.delivered_since()
        return LookBack(since, self.falls) if since and self.opened - since <= LOOK_BACK_MOST else None

    def nothing_pending(self, asked: LookBack, pending: Set[Lane], delivered: Mapping[Lane, int]) -> None:
        """Go live in each lane that is not `pending`, if the client has handled all that was `delivered` in it.

        The session was stored before that was asked (D-ask-after-session). What came in the meantime is marked, as
        during a read, and a lane with a mark above its cursor has to read (D-live-at-once). `delivered` has the highest
        `ord` a lane.
        """
        since = self.delivered_since()
        if asked.falls != self.falls or since is None or since < asked.since:
            return  # records may have been missed since (D-gap-ask), or a late `resume` has to look back further
        for name, lane in self._lanes.items():
            if name not in pending:
                lane.live = lane.live or max(lane.high_water, delivered.get(name, START)) <= lane.cursor
        self.is_live = all(lane.live for lane in self._lanes.values())

    def next_read(self, most: int = 0) -> CatchUpRead | None:
        """Return the next read to issue, urgent first; None when every lane is live or there is no credit.

        It asks for as many items as credit takes, or for `most` if that is more: the rest may then be kept ahead.
        """
        for name, lane in self._lanes.items():
            if lane.live:
                continue
            limit = self._room(name)
            if limit > 0 and self._bytes + self._coming_bytes(name) <= CREDIT_BYTES and not self.paused:
                return CatchUpRead(name, lane.cursor, lane.high_water, max(limit, most), self.falls)
        return None

    def found(
        self, issued: CatchUpRead, items: Sequence[OutgoingItem], delivered: Sequence[int] = ()
    ) -> list[OutgoingItem]:
        """Take over what a read has just found, and return the items to send, as `read` does.

        Items beyond AHEAD_BYTES are left to another read. Items that other devices acknowledged are left out beyond
        DELIVERED_REPLAYS: `CatchUp` then tells the client to read its inbox.
        """
        replays = max(1, DELIVERED_REPLAYS - self.delivered_replays)
        last = delivered[replays - 1] if len(delivered) > replays else None
        size = 0
        for index, item in enumerate(items):
            size += len(item.body)
            if (size > AHEAD_BYTES and index) or (last is not None and item.ord > last):
                issued, items = replace(issued, limit=index), items[:index]
                delivered = delivered[: bisect_right(delivered, items[-1].ord)]
                break
        return self.read(issued, items, delivered)

    def more(self) -> list[OutgoingItem] | None:
        """Return the items to send of what was kept ahead.

        None when there is no credit, or when something has to be read from the store first.
        """
        issued = self.next_read()
        if issued is None or self.ahead is None or self.ahead.issued.lane is not issued.lane:
            return None
        return self.read(*self.ahead)

    def read(
        self, issued: CatchUpRead, items: Sequence[OutgoingItem], delivered: Sequence[int] = ()
    ) -> list[OutgoingItem]:
        """Return the items to send of what a read found; what there is no credit for is kept ahead.

        When the read found the last items of the lane, the lane may go live.
        """
        lane = self._lanes[issued.lane]
        self.ahead = None
        send: list[OutgoingItem] = []
        room = 0 if self.paused else self._room(issued.lane)
        left = CREDIT_BYTES - self._bytes
        for index, item in enumerate(items):
            if item.ord <= lane.cursor:
                continue
            left -= len(item.body)
            if len(send) >= room or left < 0:
                handled = bisect_right(delivered, lane.cursor)
                self.delivered_replays += handled
                self.ahead = Found(replace(issued, limit=issued.limit - index), items[index:], delivered[handled:])
                return send
            lane.cursor = item.ord
            send.append(item)
        self.delivered_replays += len(delivered)
        if len(items) < issued.limit and issued.falls == self.falls:
            # what was marked when the read was issued is sent by now, or was retracted or has expired (D-mark-passed)
            lane.cursor = max(lane.cursor, issued.high_water)
            # the lane goes live in the step that sends its last item: nothing comes between (D-live-sent, D-live-mark)
            lane.live = lane.high_water <= lane.cursor
            self.is_live = all(lane.live for lane in self._lanes.values())
            if self.is_live:
                self.delivered_replays = 0  # the limit is of each time that it catches up
        return send

    def delivered_since(self) -> datetime | None:
        """Return since when to read what other devices have acknowledged (D-read-delivered).

        None once as many of those items were sent as DELIVERED_REPLAYS allows.
        """
        if self.delivered_replays >= DELIVERED_REPLAYS:
            return None
        margin = self.since - RESUME_MARGIN
        return max(margin, self.opened - FRESH_MARGIN) if self.fresh else margin

    def advance_since(self, caught_up: datetime | None) -> datetime:
        """Move `since` to when the mailbox was last read to its end, and return it.

        It moves only while every lane is live (D-since-live).
        """
        if caught_up is not None and caught_up > self.since and self.is_live:
            self.since = caught_up
        return self.since

    def _coming_bytes(self, lane: Lane) -> int:
        """Return the size of the next item to send in a lane, as far as it is known; else 1."""
        return len(self.ahead.items[0].body) if self.ahead and self.ahead.issued.lane is lane else 1
