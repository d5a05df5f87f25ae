"""A gateway with its lease and positions, and one device's connection to it."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Self

from pymongo import DeleteOne, UpdateOne

from clarion.contracts.lanes import Lane
from clarion.store.mailboxes import Lease
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import Feed, Found, LookBack
from services.gateway.mailbox.connect_lookup import ConnectLookup
from services.gateway.mailbox.read_progress import ReadProgress
from services.gateway.mailbox.session_writer import SessionNotes
from tests.model.world.environment import now_ms, weather
from tests.model.world.world import Part, World

UNKNOWN: Final = -1  # a position that is yet to be found out, where a rule is left out


@dataclass(slots=True)
class End:
    """What a gateway's consumer knows of its partition's end; only where the clock matters.

    `told` as of the latest answer, which came at `answered_ms`; `coming` is an answer that is on its way.
    """

    told: int
    answered_ms: int
    coming: int | None = None
    at_end: ReadProgress = field(default_factory=ReadProgress)

    def copy(self) -> Self:
        at_end = ReadProgress(self.at_end.until_ms, self.at_end._answered_ms)
        return type(self)(self.told, self.answered_ms, self.coming, at_end)

    def key(self) -> Hashable:
        return self.told, self.answered_ms, self.coming, self.at_end.until_ms, self.at_end._answered_ms


@dataclass(slots=True)
class Gateway(Part):
    """`life` counts its processes. It serves while it has `notes`. `late` session writes have timed out."""

    life: int = 0
    lease: Lease | None = None
    notes: SessionNotes | None = None
    has_swept: bool = False
    is_asleep: bool = False
    is_cut_off: bool = False  # from MongoDB
    positions: dict[str, int] = field(default_factory=dict[str, int])  # in its mailbox's partitions, by topic
    ends: dict[str, End] = field(default_factory=dict[str, End])  # of those partitions, as Kafka told
    late: tuple[UpdateOne | DeleteOne, ...] = ()

    def copy(self) -> Self:
        return type(self)(
            self.life,
            self.lease,
            self.notes and SessionNotes(self.notes.lease, self.notes.sequence, dict(self.notes.wanted)),
            self.has_swept,
            self.is_asleep,
            self.is_cut_off,
            dict(self.positions),
            {name: end.copy() for name, end in self.ends.items()},
            self.late,
        )

    def key(self) -> Hashable:
        lease = self.lease and (self.lease.mailbox, self.lease.epoch, self.lease.owner)
        notes = self.notes and (self.notes.sequence, tuple(self.notes.wanted.items()))
        late = tuple(repr((isinstance(write, DeleteOne), write._filter)) for write in self.late)
        flags = (self.has_swept, self.is_asleep, self.is_cut_off)
        ends = tuple((name, end.key()) for name, end in self.ends.items())
        return self.life, lease, notes, flags, tuple(self.positions.items()), ends, late


class Frame(NamedTuple):
    """A batch, or without a tag a ping."""

    tag: int | None
    items: tuple[OutgoingItem, ...]
    since: datetime

    def key(self) -> Hashable:
        return self.tag, tuple((item.id, item.stored) for item in self.items), self.since


@dataclass(slots=True)
class Connection(Part):
    """As the gateway sees it, and what is on its way: frames down, an acknowledgement up."""

    user: str
    feed: Feed
    resumed: dict[Lane, int]  # the cursors it came with
    is_open: bool = True  # at the device
    asked: LookBack | None = None  # what is asked on its behalf when its session is stored
    arrival: ConnectLookup | None = None  # the answer; the connection does not know it yet
    is_stored: bool = False  # its session
    is_present: bool = False  # it knows, and may read the store
    answer: Found | None = None  # of a catch-up read; the gateway does not know it yet
    down: tuple[Frame, ...] = ()
    up: int = 0
    sent: dict[Lane, int] = field(default_factory=dict[Lane, int])  # the last `ord`

    def copy(self) -> Self:
        return type(self)(
            self.user,
            _copy(self.feed),
            self.resumed,
            self.is_open,
            self.asked,
            self.arrival,
            self.is_stored,
            self.is_present,
            self.answer,
            self.down,
            self.up,
            dict(self.sent),
        )

    def key(self) -> Hashable:
        feed = self.feed
        lanes = tuple((lane.cursor, lane.high_water, lane.live) for lane in feed._lanes.values())
        sent = tuple((sent.tag, tuple(item.id for item in sent.items)) for sent in feed._sent)
        rest = (feed.opened, feed.since, feed.fresh, feed.paused, feed.tag, feed.delivered_replays, feed.falls)
        reads = _key(self.answer), _key(feed.ahead)
        down = tuple(frame.key() for frame in self.down)
        waiting = self.arrival and self.arrival.pending
        arrival = self.arrival and (waiting and frozenset(waiting), tuple(self.arrival.delivered.items()))
        mine = (self.is_open, self.asked, arrival, self.is_stored, self.is_present, reads, down, self.up)
        return self.user, lanes, sent, rest, mine, tuple(self.resumed.items()), tuple(self.sent.items())


def _copy(feed: Feed) -> Feed:
    other = Feed(feed.opened, feed.since, feed.fresh, feed.paused, feed.delivered_replays, falls=feed.falls)
    other.tag, other.is_live = feed.tag, feed.is_live
    other._lanes = {name: type(lane)(lane.cursor, lane.high_water, lane.live) for name, lane in feed._lanes.items()}
    other._sent = feed._sent.copy()
    other._items, other._bytes, other.ahead = feed._items, feed._bytes, feed.ahead
    return other


def _key(found: Found | None) -> Hashable:
    return found and (found.issued, tuple(item.id for item in found.items), found.delivered)


def reaches_mongodb(w: World, gateway: Gateway) -> bool:
    return weather(w).mongodb and not gateway.is_cut_off and not gateway.is_asleep


def settled_end(w: World, end: int) -> End:
    """Of a consumer that has just been answered."""
    return End(end, now_ms(w), at_end=ReadProgress(now_ms(w), now_ms(w)))


def connections(w: World, gateway: int) -> list[tuple[int, Connection]]:
    """(device, connection) pairs."""
    return [(device, found) for (its_gateway, device), found in w.each(Connection) if its_gateway == gateway]
