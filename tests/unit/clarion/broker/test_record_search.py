from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.group_offsets import Commit
from clarion.broker.record_search import Span, unread

ONE, TWO = Partition("t", 0), Partition("t", 1)
SPANS = {ONE: Span(10, 30), TWO: Span(0, 5)}


def test_unread_is_from_the_commit_to_the_end() -> None:
    assert unread(SPANS, {ONE: Commit(25), TWO: Commit(5)}) == {ONE: Span(25, 30), TWO: Span(5, 5)}


def test_without_a_commit_everything_is_unread() -> None:
    assert unread(SPANS, {}) == SPANS


def test_a_commit_beyond_the_end_is_of_an_earlier_topic() -> None:
    assert unread(SPANS, {TWO: Commit(1000)})[TWO] == Span(0, 5)


def test_what_retention_has_removed_is_not_there_to_be_read() -> None:
    assert unread(SPANS, {ONE: Commit(4)})[ONE] == Span(10, 30)
