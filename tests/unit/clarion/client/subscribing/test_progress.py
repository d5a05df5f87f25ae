"""Acknowledgements, cursors and `since` move only once everything before them is handled."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.client.subscribing.cursor_store import Position
from clarion.client.subscribing.progress import MAX_QUEUED, Overrun, Progress
from clarion.contracts.api.frames import Received
from clarion.contracts.lanes import Lane


def item(id_: str, offset: int | None = None, lane: Lane = Lane.NORMAL) -> Received:
    order = None if offset is None else (0, offset)
    return Received(id_, "t", "m", "s", {}, "2026-11-24T01:02:03.004Z", lane, order, unstored=offset is None)


def drain(progress: Progress) -> list[str]:
    """Handle everything there is, as `async for` does."""
    seen: list[str] = []
    while True:
        progress.handled()
        taken = progress.take()
        if taken is None:
            return seen
        seen.append(taken.id)


def test_a_batch_is_acknowledged_once_its_last_item_is_handled() -> None:
    progress = Progress(Position())
    progress.batch(1, [item("a", 5), item("b", 7)], "s1")
    for id_ in "ab":
        progress.handled()
        assert progress.to_acknowledge() is None
        assert progress.position == Position()
        taken = progress.take()
        assert taken is not None
        assert taken.id == id_
    progress.handled()
    assert progress.to_acknowledge() == 1
    assert progress.to_acknowledge() is None
    assert progress.position == Position({Lane.NORMAL: (0, 7)}, "s1")


def test_a_pings_since_waits_for_what_came_before_it() -> None:
    progress = Progress(Position())
    progress.batch(1, [item("a", 1)], "s1")
    progress.ping("s2")
    progress.handled()
    assert progress.take() is not None
    assert progress.position.since is None
    progress.handled()
    assert progress.position.since == "s2"


def test_pings_while_an_item_is_in_hand_take_no_room() -> None:
    progress = Progress(Position())
    progress.batch(1, [item("a", 1), item("b", 2)], None)
    progress.handled()
    progress.take()
    for number in range(1000):
        progress.ping(f"s{number}")
    assert len(progress._queue) == 2
    assert drain(progress) == ["b"]
    assert progress.position.since == "s999"


def test_a_repeat_is_dropped_and_acknowledged() -> None:
    progress = Progress(Position())
    progress.batch(1, [item("a", 1)], None)
    assert drain(progress) == ["a"]
    progress.batch(2, [item("a", 1), item("b", 2)], None)
    assert drain(progress) == ["b"]
    assert (progress.repeats, progress.to_acknowledge()) == (1, 2)


def test_an_item_retracted_while_it_waits_is_dropped_and_acked() -> None:
    progress = Progress(Position())
    progress.batch(1, [item("a", 1), item("b", 2)], None)
    progress.retracted(["b", "c"])
    assert drain(progress) == ["a"]
    assert progress.to_acknowledge() == 1
    progress.batch(2, [item("c", 3)], None)
    assert drain(progress) == []
    assert progress.to_acknowledge() == 2


def test_a_repeat_between_handled_and_take_is_not_taken() -> None:
    progress = Progress(Position())
    progress.batch(1, [item("a", 1)], None)
    assert drain(progress) == ["a"]
    progress.handled()
    progress.batch(2, [item("a", 1), item("b", 2)], None)
    assert progress.take() is None
    assert drain(progress) == ["b"]


def test_an_item_in_hand_that_comes_again_is_not_yet_handled() -> None:
    progress = Progress(Position())
    progress.batch(1, [item("a", 1), item("b", 2)], None)
    progress.handled()
    progress.take()
    progress.connected()
    progress.batch(1, [item("a", 1), item("b", 2)], None)
    assert progress.to_acknowledge() is None
    assert progress.position == Position()
    assert drain(progress) == ["b"]
    assert progress.to_acknowledge() == 1


def test_what_was_not_handed_out_is_handed_out_when_sent_again() -> None:
    progress = Progress(Position())
    progress.batch(1, [item("a", 1), item("b", 2)], "s")
    progress.connected()
    assert drain(progress) == []
    assert progress.position == Position()
    progress.batch(1, [item("a", 1), item("b", 2)], "s")
    assert drain(progress) == ["a", "b"]


def test_an_ack_of_an_older_connection_is_not_sent_on_the_next() -> None:
    progress = Progress(Position())
    progress.batch(9, [item("a", 1)], None)
    assert drain(progress) == ["a"]
    progress.connected()
    assert progress.to_acknowledge() is None
    assert progress.position.cursors == {Lane.NORMAL: (0, 1)}


def test_unstored_items_move_no_cursor_and_repeat_when_stored() -> None:
    progress = Progress(Position())
    progress.batch(1, [item("u")], None)
    assert drain(progress) == ["u"]
    assert progress.position == Position()
    progress.batch(2, [item("u", 4)], None)
    assert drain(progress) == []
    assert progress.position.cursors == {Lane.NORMAL: (0, 4)}


def test_a_cursor_never_goes_back() -> None:
    progress = Progress(Position({Lane.NORMAL: (1, 5)}, "s"))
    progress.batch(1, [item("old", 99)], None)
    assert drain(progress) == ["old"]
    assert progress.position == Position({Lane.NORMAL: (1, 5)}, "s")


def test_memory_is_bounded() -> None:
    progress = Progress(Position(), remembered=10)
    for number in range(100):
        progress.batch(number + 1, [item(str(number), number)], None)
        drain(progress)
    assert len(progress._handled) == 10
    with pytest.raises(Overrun):
        progress.batch(101, [item(f"x{number}") for number in range(MAX_QUEUED + 1)], None)


@dataclass
class Server:
    """Sends each offset in order, from where `resume` says, or from its own idea of what is acknowledged."""

    total: int
    next: int = 0
    tag: int = 0
    tags: dict[int, int] = field(default_factory=dict[int, int])
    acknowledged: int = 0  # everything below is

    def resume(self, position: Position) -> None:
        self.next = max(self.acknowledged, position.cursors.get(Lane.NORMAL, (0, -1))[1] + 1)
        self.tag, self.tags = 0, {}

    def batch(self, size: int) -> tuple[int, list[Received]]:
        until = min(self.total, self.next + size)
        offsets = range(self.next, until)
        self.tag, self.next = self.tag + 1, until
        self.tags[self.tag] = until
        return self.tag, [item(str(offset), offset) for offset in offsets]

    def ack(self, tag: int | None) -> None:
        if tag is not None:
            self.acknowledged = self.tags[tag]


steps = st.lists(st.sampled_from(["batch", "take", "take", "take", "cut", "crash"]), max_size=120)


@settings(max_examples=300, deadline=None)  # an example waits for whatever else the machine does
@given(steps, st.integers(1, 5))
def test_nothing_is_lost_or_handled_twice_by_one_process(found: list[str], size: int) -> None:
    """Whatever cuts and crashes: only what is handled is acknowledged, and in the end everything is handled."""
    server, progress, handled = Server(total=30), Progress(Position()), set[str]()
    here: set[str] = set()  # handled since this process started
    in_hand: str | None = None

    def step(what: str) -> None:
        nonlocal progress, in_hand
        if what == "batch":
            progress.batch(*server.batch(size), None)
        elif what == "take":
            if in_hand is not None:
                handled.add(in_hand)
                here.add(in_hand)
                in_hand = None
            progress.handled()
            server.ack(progress.to_acknowledge())
            if taken := progress.take():
                assert taken.id not in here
                in_hand = taken.id
        else:
            if what == "crash":
                progress, in_hand = Progress(progress.position), None
                here.clear()
            progress.connected()
            server.resume(progress.position)
        cursor = progress.position.cursors.get(Lane.NORMAL, (0, -1))[1]
        assert {str(offset) for offset in range(max(server.acknowledged, cursor + 1))} <= handled

    for what in found:
        step(what)
    for what in ["cut", *["batch", *["take"] * (size + 1)] * 31]:
        step(what)
    assert handled == {str(offset) for offset in range(30)}
    assert server.acknowledged == 30
