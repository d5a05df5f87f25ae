"""An hour in which a client takes nothing, on a clock of the test's own: what it costs, and that nothing is missed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from clarion.contracts.api import frames
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.limits import CREDIT_BYTES, CREDIT_ITEMS, EARLY_BYTES, EARLY_ITEMS, FRAME_BYTES
from clarion.contracts.records.receipts import Op
from clarion.security.tokens import Claims
from services.gateway.access import heartbeats
from services.gateway.access.heartbeats import Heartbeats
from services.gateway.client.connection import Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import START, Feed
from services.gateway.delivery.rooms import Rooms
from services.gateway.transport.base import HIGH_WATER_BYTES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_S = 3_600
PER_SECOND = 10


class Reader:
    """The far end of a connection, and the buffer before it: what is written waits there until it is read."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self.most = 0
        self.code = 0
        self.is_gone = False
        self.connection = Connection(self, Feed(opened=NOW, since=NOW), claims=Claims("ann", frozenset(), 1e12))
        self.connection.state = ConnectionState.VERIFIED

    def write(self, text: bytes) -> None:
        self.waiting.append(text)
        size = sum(map(len, self.waiting))
        self.most = max(self.most, size)
        self.connection.feed.paused = size > HIGH_WATER_BYTES

    def handle_waiting(self) -> None: ...

    def shut(self, code: int, reason: str) -> None:
        self.code = code

    def abort(self) -> None:
        self.is_gone = True

    def read(self) -> list[frames.ServerFrame]:
        found = [frames.decode_server(text) for text in self.waiting]
        self.waiting.clear()
        self.connection.feed.paused = False
        return found


class Day:
    """The store, the room, and a clock; each second brings items for every lane, a `sync`, and one that is early."""

    def __init__(self, clock: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.rooms, self.beats = Rooms(10), Heartbeats(lambda: None)
        self.stored: dict[Lane, list[OutgoingItem]] = {lane: [] for lane in LANES}
        clock.setattr(heartbeats, "time", self)

    def monotonic(self) -> float:
        return self.now

    time = monotonic

    def arrives(self, reader: Reader) -> None:
        self.rooms.join(reader.connection)
        self.beats.watch(reader.connection)
        self.feed(reader)

    def seconds(self, count: int) -> Iterator[None]:
        for _ in range(count):
            self.now += 1
            items = [self._store(LANES[n % len(LANES)]) for n in range(PER_SECOND)]
            list(self.rooms.push([("ann", item) for item in items], None))
            self.rooms.push_early([("ann", OutgoingItem("early", Lane.URGENT, START, b"1" * 500, False))], None)
            self.rooms.sync("ann", frames.ServerSync(Op.DELIVERED, [], 100))
            self.beats.run_due(self.now)
            yield

    def _store(self, lane: Lane) -> OutgoingItem:
        number = sum(map(len, self.stored.values()))
        item = OutgoingItem(f"id-{number}", lane, number, b'{"n":%d,"x":"%b"}' % (number, b"x" * 500))
        self.stored[lane].append(item)
        return item

    def feed(self, reader: Reader) -> None:
        """What the catch-up readers do."""
        feed = reader.connection.feed
        while issued := feed.next_read():
            found = [item for item in self.stored[issued.lane] if item.ord > issued.after][: issued.limit]
            send = feed.read(issued, found)
            reader.connection.send_items(send, None)
            if found and not send:
                return

    def bodies(self, said: list[frames.ServerFrame]) -> list[bytes]:
        return [bytes(body) for frame in said if isinstance(frame, frames.Batch) for body in frame.items]

    def everything_from(self, reader: Reader, said: list[bytes]) -> dict[Lane, list[bytes]]:
        """Read and acknowledge until nothing more comes; all of it in order of arrival, what was early left out."""
        feed = reader.connection.feed
        for _ in range(sum(map(len, self.stored.values()))):
            if feed.tag:
                feed.ack(feed.tag)
            self.feed(reader)
            said += self.bodies(reader.read())
            if feed.is_live and not feed.in_flight()[0]:
                break
        lanes = {item.body: item.lane for items in self.stored.values() for item in items}
        return {lane: [body for body in said if lanes.get(body) is lane] for lane in LANES}


def expected(day: Day) -> dict[Lane, list[bytes]]:
    return {lane: [item.body for item in items] for lane, items in day.stored.items()}


def test_a_client_without_acks_gets_its_credit_and_later_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day, reader = Day(monkeypatch), Reader()
    day.arrives(reader)
    said: list[bytes] = []
    for _ in day.seconds(HOUR_S):
        said += day.bodies(reader.read())
        reader.connection.pong_due = False
    assert reader.code == 0, "it answers pings: it stays"
    assert CREDIT_ITEMS <= len(said) <= CREDIT_ITEMS + EARLY_ITEMS
    assert sum(map(len, said)) <= CREDIT_BYTES + EARLY_BYTES
    assert reader.connection.feed.in_flight() == (len(said), sum(map(len, said)))
    assert sum(map(len, day.stored.values())) == HOUR_S * PER_SECOND
    assert day.everything_from(reader, said) == expected(day)


def test_a_client_that_reads_nothing_is_cut_off_without_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day, reader = Day(monkeypatch), Reader()
    day.arrives(reader)
    for _ in day.seconds(HOUR_S):
        if reader.is_gone:
            day.rooms.leave(reader.connection)
    assert (reader.code, reader.is_gone) == (4408, True)
    assert reader.most <= HIGH_WATER_BYTES + FRAME_BYTES
    back = Reader()
    day.arrives(back)
    assert day.everything_from(back, day.bodies(back.read())) == expected(day)


def test_a_client_that_reads_no_refusals_is_closed() -> None:
    reader = Reader()
    reader.connection.refuse("busy", "not taken")
    assert [frame for frame in reader.read() if isinstance(frame, frames.Error)] == [frames.Error("busy", "not taken")]
    reader.connection.feed.paused = True
    reader.connection.refuse("busy", "not taken")
    assert reader.code == 1013
