"""Rooms and frames: one frame for several items, encoded once for all of a user's devices."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts import limits, times
from clarion.contracts.api import frames
from clarion.contracts.lanes import Lane
from clarion.contracts.records.receipts import Op
from clarion.security.origins import is_allowed
from clarion.security.tokens import Claims
from services.gateway.client.batch_frames import batch_frame, join, split
from services.gateway.client.connection import Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import Feed
from services.gateway.delivery.rooms import Rooms

PER_USER = 3
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Written:
    """A wire that keeps what is written to it."""

    def __init__(self) -> None:
        self.frames: list[frames.ServerFrame] = []

    def write(self, text: bytes) -> None:
        self.frames.append(frames.decode_server(text))

    def shut(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...


def offered(n: int, size: int = 20) -> OutgoingItem:
    return OutgoingItem(f"id-{n}", Lane.NORMAL, n, b'{"n":%d,"x":"%b"}' % (n, b"x" * size))


def device(user: str = "ann", *, live: bool = True) -> tuple[Connection, list[frames.ServerFrame]]:
    transport = Written()
    feed = Feed(opened=NOW, since=NOW)
    while live and (issued := feed.next_read()):
        feed.read(issued, [])
    claims = Claims(user, frozenset({"subscribe"}), 0.0)
    return Connection(transport, feed, claims=claims, state=ConnectionState.VERIFIED), transport.frames


def bodies(frame: frames.ServerFrame) -> list[bytes]:
    assert isinstance(frame, frames.Batch)
    return [bytes(body) for body in frame.items]


def test_items_ready_together_go_in_one_frame_to_each_device() -> None:
    rooms = Rooms(PER_USER)
    (phone, on_phone), (laptop, on_laptop), (other, on_other) = device(), device(), device("bob")
    for connection in (phone, laptop, other):
        assert rooms.join(connection)
    phone.feed.tag = 41  # has had frames before: only the tag differs
    assert list(rooms.push([("ann", offered(1)), ("ann", offered(2))], NOW)) == [[]]
    assert on_other == []
    assert [bodies(frame) for frame in on_phone] == [bodies(frame) for frame in on_laptop]
    assert bodies(on_phone[0]) == [offered(1).body, offered(2).body]
    tags = [frame.tag for frame in (*on_phone, *on_laptop) if isinstance(frame, frames.Batch)]
    assert tags == [42, 1]


def test_a_device_that_is_behind_gets_nothing_live_and_is_named() -> None:
    rooms = Rooms(PER_USER)
    (behind, on_behind), (live, on_live) = device(live=False), device()
    rooms.join(behind)
    rooms.join(live)
    assert list(rooms.push([("ann", offered(1))], NOW)) == [[behind]]
    assert on_behind == []
    assert len(on_live) == 1


def test_a_room_has_a_limit_and_ends_with_its_last_connection() -> None:
    rooms = Rooms(PER_USER)
    joined = [device()[0] for _ in range(PER_USER)]
    assert all(rooms.join(connection) for connection in joined)
    refused = device()[0]
    assert not rooms.join(refused)
    assert not rooms.leave(refused)
    assert [rooms.leave(connection) for connection in joined] == [False] * (len(joined) - 1) + [True]
    assert len(rooms) == 0


def test_syncs_to_a_full_socket_become_one_resync() -> None:
    rooms = Rooms(PER_USER)
    connection, written = device()
    rooms.join(connection)
    connection.state, connection.feed.paused = ConnectionState.GREETED, True
    for n in range(5):
        rooms.sync("ann", frames.ServerSync(Op.READ, [f"id-{n}"], n))
    assert written == []
    rooms.settle(connection)
    assert written == []
    connection.feed.paused = False
    rooms.settle(connection)
    rooms.settle(connection)
    assert written == [frames.Resync()]


def test_syncs_before_hello_become_one_resync_after_it_since_its_count_may_be_older() -> None:
    rooms = Rooms(PER_USER)
    connection, written = device()
    rooms.join(connection)
    for n in range(5):
        rooms.sync("ann", frames.ServerSync(Op.READ, [f"id-{n}"], n))
    rooms.settle(connection)  # its socket can take more: no reason to say anything yet
    assert written == []
    connection.state = ConnectionState.GREETED
    rooms.settle(connection)
    assert written == [frames.Resync()]
    rooms.sync("ann", frames.ServerSync(Op.READ, ["id-6"], 6))
    assert written[1:] == [frames.ServerSync(Op.READ, ["id-6"], 6)]


@given(st.lists(st.integers(1, 40_000), max_size=120))
def test_splitting_keeps_order_and_bounds(sizes: list[int]) -> None:
    items = [offered(n, size) for n, size in enumerate(sizes)]
    runs = list(split(items))
    assert [one for run in runs for one in run] == items
    for run in runs:
        assert 1 <= len(run) <= limits.ITEMS_PER_RECORD
        assert len(batch_frame(2**53, join(run), times.now())) <= limits.FRAME_BYTES


def test_origins_are_exact_and_no_page_needs_none() -> None:
    allowed = ("https://app.example",)
    assert is_allowed(None, allowed)
    assert is_allowed("https://app.example", allowed)
    for origin in ("https://app.example.evil", "http://app.example", "https://app.example:444", "null", ""):
        assert not is_allowed(origin, allowed)
