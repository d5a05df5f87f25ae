"""Rooms: one frame for several items, encoded once for all of a user's devices."""

from clarion.contracts.api import frames
from clarion.contracts.limits import CREDIT_ITEMS, CREDIT_URGENT_ITEMS
from clarion.contracts.records.receipts import Op
from clarion.telemetry import metrics
from services.gateway.client.connection_state import ConnectionState
from services.gateway.delivery.rooms import Rooms
from tests.unit.counted import counted
from tests.unit.gateway.devices import NOW, device, offered

PER_USER = 3


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


def test_credit_that_runs_out_counts_once_until_live_again() -> None:
    rooms, before = Rooms(PER_USER), counted(metrics.credit_exhausted)
    ann, _ = device()
    rooms.join(ann)
    for n in range(CREDIT_ITEMS - CREDIT_URGENT_ITEMS):
        list(rooms.push([("ann", offered(n + 1))], NOW))
    assert counted(metrics.credit_exhausted) == before
    for n in range(CREDIT_ITEMS, CREDIT_ITEMS + 3):
        assert list(rooms.push([("ann", offered(n))], NOW)) == [[ann]]
    assert counted(metrics.credit_exhausted) == before + 1


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


def test_syncs_before_hello_become_one_resync_after_it() -> None:
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
