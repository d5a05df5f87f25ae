"""What is pending is told when the whole index was walked through, however many steps that takes."""

from datetime import UTC, datetime, timedelta

from clarion.contracts.lanes import Lane
from clarion.store.queries.pending_walk import Pending, Step
from services.stream.observer.pending import PendingWalk

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_a_walk_tells_nothing_before_its_last_step() -> None:
    walk = PendingWalk()
    assert walk.add(Step({Lane.LOW: Pending(3, ago(5)), Lane.HIGH: Pending(1, ago(1))}, "bob")) is None
    assert walk.after == "bob"
    assert walk.add(Step({Lane.LOW: Pending(2, ago(50))}, "eve")) is None
    assert walk.add(Step({Lane.LOW: Pending(4, ago(7))}, None)) == {
        Lane.LOW: Pending(9, ago(50)),
        Lane.HIGH: Pending(1, ago(1)),
    }


def test_the_next_walk_begins_anew() -> None:
    walk = PendingWalk()
    walk.add(Step({Lane.LOW: Pending(3, ago(5))}, "bob"))
    walk.add(Step({}, None))
    assert walk.after == ""
    assert walk.add(Step({}, None)) == {}
