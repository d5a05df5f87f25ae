"""What a group has still to do: never less than nothing, whatever was committed, and whatever retention removed."""

from hypothesis import given
from hypothesis import strategies as st

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.lag.unread import Lag, Unread, lag_of, of_topic, unread

OFFSETS = st.integers(0, 1_000)


def test_what_is_not_committed_is_unread() -> None:
    assert unread(30, 10, 100) == Unread(30, 100)
    assert unread(100, 10, 100).records == 0


def test_without_a_commit_all_that_is_kept_is_unread() -> None:
    assert unread(None, 10, 100) == Unread(10, 100)


def test_what_retention_removed_is_not_unread() -> None:
    assert unread(3, 10, 100) == Unread(10, 100)


def test_a_commit_beyond_the_end_counts_for_nothing() -> None:
    assert unread(500, 10, 100) == Unread(10, 100)


@given(st.none() | OFFSETS, OFFSETS, OFFSETS)
def test_never_less_than_nothing_nor_more_than_there_is(committed: int | None, start: int, end: int) -> None:
    found = unread(committed, start, end)
    assert 0 <= found.records <= max(0, end - start)


def test_a_lag_is_of_all_partitions_and_as_old_as_the_oldest() -> None:
    found = [Unread(5, 10), Unread(7, 7), Unread(0, 3)]
    assert lag_of(found, [4_000, None, 2_500], now_s=10.0) == Lag(8, 7.5)
    assert lag_of(found, [12_000, 11_000], now_s=10.0) == Lag(8, 0.0), "the broker's clock is ahead"


def test_without_anything_unread_nothing_waits() -> None:
    assert lag_of([Unread(7, 7)], [], now_s=10.0) == Lag(0, 0.0)


def test_nobody_knows_how_old_a_producers_stamps_are() -> None:
    assert lag_of([Unread(0, 7)], [None], now_s=10.0) == Lag(7, None)


def test_partitions_of_another_topic_are_left_out() -> None:
    mine, other = Partition("a", 0), Partition("b", 0)
    assert of_topic({mine: Unread(0, 1), other: Unread(0, 2)}, "a") == {mine: Unread(0, 1)}
