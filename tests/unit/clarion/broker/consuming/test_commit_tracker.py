"""The commit tracker against a model: whatever the order of acknowledgements, nothing unacknowledged is committed."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clarion.broker.consuming.commit_tracker import CommitTracker, Partition

A, B = Partition("t", 0), Partition("t", 1)


class Histories(RuleBasedStateMachine):
    """The model knows every offset that is done; what a broker would skip after a commit must all be done."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = CommitTracker()
        self.position = dict.fromkeys((A, B), 0)
        self.commits = dict.fromkeys((A, B), 0)
        self.done: dict[Partition, set[int]] = {A: set(), B: set()}
        self.in_hand: list[tuple[Partition, int, int, int]] = []  # partition, first, last, epoch

    @rule(partition=st.sampled_from([A, B]), gap=st.integers(0, 3), length=st.integers(1, 4))
    def fetch(self, partition: Partition, gap: int, length: int) -> None:
        """A gap is what compaction or an aborted transaction leaves: offsets that never arrive."""
        first = self.position[partition] + gap
        self.done[partition].update(range(self.position[partition], first))
        last = first + length - 1
        self.tracker.take(partition, first, last, length)
        self.position[partition] = last + 1
        self.in_hand.append((partition, first, last, self.tracker.ownership_epoch))

    @rule(partition=st.sampled_from([A, B]), length=st.integers(0, 3))
    def pass_over(self, partition: Partition, length: int) -> None:
        """Markers and what was aborted: the position moves, and no record comes."""
        start = self.position[partition]
        self.done[partition].update(range(start, start + length))
        self.position[partition] = start + length
        self.tracker.pass_over(partition, start + length, self.commits[partition] or None)

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(self.in_hand))
        self.in_hand.remove(batch)
        partition, first, last, epoch = batch
        counted = self.tracker.ack(partition, last, epoch)
        assert counted == (epoch == self.tracker.ownership_epoch)
        self.done[partition].update(range(first, last + 1))
        assert not self.tracker.ack(partition, last, epoch), "a second acknowledgement counts for nothing"

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def shelve(self, data: st.DataObject) -> None:
        """It is not done, so nothing at or behind it may be committed before it is read again."""
        batch = data.draw(st.sampled_from(self.in_hand))
        self.in_hand.remove(batch)
        partition, _, last, epoch = batch
        self.tracker.shelve(partition, last, epoch)
        assert not self.tracker.ack(partition, last, epoch), "what was shelved is acknowledged only when read again"

    @rule(succeeds=st.booleans())
    def commit(self, succeeds: bool) -> None:
        for partition, offset in self.tracker.committable().items():
            assert offset > self.commits[partition]
            if succeeds:
                self.commits[partition] = offset
                self.tracker.committed(partition, offset)
        assert not succeeds or not self.tracker.committable()

    @rule()
    def rebalance(self) -> None:
        """Positions go back to what was committed; batches in hand belong to an epoch that is over."""
        self.tracker.forget()
        self.position = dict(self.commits)

    @invariant()
    def nothing_unacknowledged_is_committed(self) -> None:
        for partition, offset in self.commits.items():
            assert set(range(offset)) <= self.done[partition]

    @invariant()
    def only_what_is_in_hand_is_held(self) -> None:
        now = self.tracker.ownership_epoch
        assert self.tracker.held_bytes == sum(
            last - first + 1 for _, first, last, epoch in self.in_hand if epoch == now
        )

    def teardown(self) -> None:
        """When all is acknowledged, what was shelved after it is read again, all can be committed: nothing is stuck."""
        for again in (False, True):
            for partition, first, last, epoch in self.in_hand:
                self.tracker.ack(partition, last, epoch)
                self.done[partition].update(range(first, last + 1))
            self.in_hand.clear()
            self.commit(succeeds=True)
            if again:
                assert self.tracker.in_flight() == 0
                continue
            for partition, offset in self.tracker.resume_points().items():
                assert set(range(offset)) <= self.done[partition]
            ends = self.position
            self.rebalance()
            for partition, end in ends.items():
                if end > self.position[partition]:
                    self.fetch(partition, 0, end - self.position[partition])


TestHistories = Histories.TestCase


@given(st.permutations(range(6)))
def test_any_order_of_acknowledgements_commits_all_in_the_end(acks: list[int]) -> None:
    tracker = CommitTracker()
    for i in range(6):
        tracker.take(A, i * 10, i * 10 + 9)
    for n, i in enumerate(acks):
        tracker.ack(A, i * 10 + 9, tracker.ownership_epoch)
        prefix = next((k for k in range(6) if k not in acks[: n + 1]), 6)
        assert tracker.committable().get(A) == (prefix * 10 or None)


def test_an_ack_of_an_earlier_epoch_covers_no_later_batch() -> None:
    tracker = CommitTracker()
    tracker.take(A, 10, 19)
    stale = tracker.ownership_epoch
    tracker.forget()
    tracker.take(A, 10, 25)  # refetched from 10, now in one batch with what came later
    assert not tracker.ack(A, 19, stale)
    assert tracker.committable() == {}


def test_a_failed_commit_is_offered_again() -> None:
    tracker = CommitTracker()
    tracker.take(A, 0, 9)
    tracker.ack(A, 9, tracker.ownership_epoch)
    assert tracker.committable() == {A: 10}
    assert tracker.committable() == {A: 10}
    tracker.committed(A, 10)
    assert tracker.committable() == {}


def test_a_long_outage_keeps_offsets_and_no_payloads() -> None:
    tracker = CommitTracker()
    for n in range(2_000):
        tracker.take(A, n * 10, n * 10 + 9, size=1_000)
    tracker.ack(A, 9, tracker.ownership_epoch)
    for n in reversed(range(2, 2_000)):  # in whatever order they are put off
        tracker.shelve(A, n * 10 + 9, tracker.ownership_epoch)
    assert (tracker.in_flight(), tracker.held_bytes) == (2, 1_000)
    tracker.ack(A, 19, tracker.ownership_epoch)
    assert (tracker.in_flight(), tracker.held_bytes) == (1, 0)
    assert tracker.resume_points() == {A: 20}
    assert tracker.committable() == {A: 20}


def test_a_partition_ending_without_records_is_committed_whole() -> None:
    tracker = CommitTracker()
    tracker.pass_over(A, 0, None)
    assert not tracker.committable()
    tracker.take(A, 0, 4)
    tracker.pass_over(A, 7, None)
    assert not tracker.committable()
    tracker.ack(A, 4, tracker.ownership_epoch)
    assert tracker.committable() == {A: 7}
    tracker.committed(A, 7)
    tracker.pass_over(A, 9, None)
    assert tracker.committable() == {A: 9}
    tracker.forget()
    tracker.pass_over(B, 12, 10)
    assert tracker.committable() == {B: 12}
