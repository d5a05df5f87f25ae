from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.group_offsets import Commit
from clarion.broker.record_search import Span
from clarion.operating.doctor import lanes

ONE, TWO = Partition("t", 0), Partition("t", 1)
SPANS = {ONE: Span(10, 30), TWO: Span(0, 5)}


def test_what_retention_removed_before_it_was_read_is_lost() -> None:
    assert lanes._lost(SPANS, {ONE: Commit(4), TWO: Commit(0)}) == 6
    assert lanes._lost(SPANS, {ONE: Commit(12), TWO: Commit(5)}) == 0


def test_a_commit_of_an_earlier_topic_means_no_loss() -> None:
    assert lanes._lost(SPANS, {ONE: Commit(1000)}) == 0
