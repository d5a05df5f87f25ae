"""What a worker holds is its own only while the broker has heard of it."""

from clarion.broker.consuming.commit_tracker import CommitTracker
from clarion.broker.consuming.ownership import Ownership

SESSION_S = 10.0


def joined(now: float = 0.0) -> Ownership:
    tracker = CommitTracker()
    tracker.forget()
    ownership = Ownership(tracker, SESSION_S)
    ownership.heard(now)
    return ownership


def test_heartbeats_keep_an_epoch() -> None:
    ownership = joined()
    for now in range(0, 100, 3):
        assert ownership.holds(1, now)
        ownership.heard(now)
    assert not ownership.must_read_again()


def test_what_an_earlier_epoch_took_is_not_held() -> None:
    ownership = joined()
    assert not ownership.holds(0, 1)
    assert not ownership.must_read_again(), "the present epoch loses nothing by that"


def test_after_silence_nothing_of_the_epoch_is_ever_held_again() -> None:
    ownership = joined()
    assert not ownership.holds(1, SESSION_S + 0.1)
    ownership.heard(SESSION_S + 0.2)
    assert not ownership.holds(1, SESSION_S + 0.3)
    assert ownership.must_read_again()
    ownership.tracker.forget()
    assert ownership.holds(2, SESSION_S + 0.4)
    assert not ownership.must_read_again()


def test_only_the_present_epoch_can_be_given_up() -> None:
    ownership = joined()
    assert not ownership.give_up(0)
    assert ownership.holds(1, 1)
    assert ownership.give_up(1)
    assert not ownership.holds(1, 1)
