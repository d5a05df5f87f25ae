"""Which records a look reads, and what it remembers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from clarion.broker.consuming.commit_tracker import Partition
from clarion.operating.ledger import sampling
from clarion.operating.ledger.judging.rows import Odd, Row, Way
from clarion.operating.ledger.sampling import FORGET, SUSPECTS, Memory, Suspect, choose, passed_since, remember

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
P, Q = Partition("t", 0), Partition("t", 1)
ROW = Row("00000000-0000-7000-8000-000000000001", b"c", b"p", 0, 5, 17, "ann", Way.EARLY)


def test_the_first_look_begins_at_the_commits() -> None:
    assert passed_since(Memory(), {"t": 0}, {P: 2}, {P: 9}) == {P: (9, 9)}


def test_a_look_goes_on_where_the_last_one_ended() -> None:
    memory = Memory({P: 5}, {"t": 0})
    assert passed_since(memory, {"t": 0}, {P: 2}, {P: 9}) == {P: (5, 9)}
    assert passed_since(memory, {"t": 0}, {P: 7}, {P: 9}) == {P: (7, 9)}  # the rest is not retained
    assert passed_since(memory, {"t": 0}, {P: 2}, {}) == {P: (2, 2)}  # the group has no commits any more


def test_new_partitions_and_topics_begin_at_their_beginning() -> None:
    memory = Memory({P: 5}, {"t": 0})
    assert passed_since(memory, {"t": 0}, {P: 0, Q: 0}, {P: 9, Q: 3}) == {P: (5, 9), Q: (0, 3)}
    assert passed_since(memory, {"t": 1}, {P: 0}, {P: 9}) == {P: (0, 9)}


def test_what_fits_into_a_look_is_read_whole() -> None:
    new, earlier = choose({P: (5, 9), Q: (3, 3)}, {P: 0, Q: 0}, 100, Random(1))
    assert new == {P: (5, 9)}
    assert earlier == {P: (0, 5), Q: (0, 3)}


spans = st.dictionaries(
    st.integers(0, 40).map(lambda n: Partition("t", n)),
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).map(lambda s: (s[0], s[0] + s[1])),
)


@given(spans, st.integers(1, 5_000), st.integers())
def test_a_look_stays_within_its_bound_and_the_spans(
    passed: dict[Partition, tuple[int, int]], records: int, seed: int
) -> None:
    new, earlier = choose(passed, dict.fromkeys(passed, 0), records, Random(seed))
    for one, (start, end) in new.items():
        assert passed[one][0] <= start < end <= passed[one][1]
    for one, (start, end) in earlier.items():
        assert 0 <= start < end <= passed[one][0]
    # each partition's share is rounded up at most
    assert sum(end - start for start, end in new.values()) <= records + len(passed)
    assert sum(end - start for start, end in earlier.values()) <= records // sampling.EARLIER + len(passed)


def test_every_record_of_a_large_span_may_be_chosen() -> None:
    chosen = {choose({P: (0, 20)}, {P: 0}, 3, Random(seed))[0][P] for seed in range(300)}
    assert {start for start, _ in chosen} == set(range(18))


def test_a_suspect_counts_once_it_was_seen_twice() -> None:
    first = remember([], [Suspect("t", ROW, NOW)], NOW)
    assert Memory(suspects=first).unaccounted == 0
    later = NOW + timedelta(seconds=30)
    again = remember(first, [Suspect("t", ROW, later)], later)
    assert (again[0].since, again[0].looks) == (NOW, 2)
    assert Memory(suspects=again).unaccounted == 1
    assert remember(again, [], later) == []


def test_two_records_of_a_use_are_one_suspect() -> None:
    again = Row(ROW.id, ROW.content, ROW.plan, 1, 9, 18, "ann", Way.EARLY)
    other = Row(ROW.id, b"other content", None, 0, 6, 18, "ann", Way.NONE)
    found = [Suspect("t", row, NOW) for row in (ROW, again, other)]
    assert len(remember([], found, NOW)) == 2
    assert remember([found[0]], [found[1]], NOW)[0].looks == 2


def test_suspects_are_forgotten_after_a_day_and_are_bounded() -> None:
    old = [Suspect("t", ROW, NOW, looks=9)]
    late = NOW + FORGET + timedelta(seconds=1)
    assert remember(old, [Suspect("t", ROW, late)], late) == []
    many = [Suspect("t", Odd(0, n, n, 1, "e"), NOW) for n in range(SUSPECTS + 5)]
    assert len(remember([], many, NOW)) == SUSPECTS


def test_what_is_remembered_comes_back_from_its_document() -> None:
    suspects = [Suspect("t", ROW, NOW, 2), Suspect("t", Odd(1, 2, 3, 4, "e"), NOW)]
    memory = Memory({P: 5, Q: 7}, {"t": 3}, suspects)
    assert sampling.from_document(sampling.to_document(memory)) == memory
    assert sampling.from_document({}) == Memory()
    assert replace(suspects[0], looks=1) != suspects[0]
