"""What was read is sorted on disk and comes back by id; memory does not grow with it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from clarion.broker.consuming.commit_tracker import Partition
from clarion.contracts.ids import new_id
from clarion.operating.ledger.judging.classify import Seen
from clarion.operating.ledger.judging.rows import Letter, Odd, Row, Way
from clarion.operating.ledger.judging.states import Fault, Finding
from clarion.operating.ledger.spill import Spill, spill
from tests.conftest import repository

LANE, HELD = "notifications.normal", "notifications.scheduled"
P = Partition(LANE, 0)


@pytest.fixture
def spilled() -> Iterator[Spill]:
    with spill([LANE, HELD], 256) as made:
        yield made


def row(id_: str, offset: int, content: bytes = b"c", way: Way = Way.NONE, partition: int = 0) -> Row:
    return Row(id_, content, b"p" if way else None, partition, offset, 1_000 + offset, "ann", way)


def finish(spilled: Spill, *, committed: int = 100, reached: int = 100, ends: tuple[int, int] = (0, 100)) -> None:
    spilled.sort()
    spilled.set_progress({P: ends, Partition(HELD, 0): ends}, {P: 1_000}, {P: committed}, {P: reached})


def test_ids_come_in_order_and_each_once(spilled: Spill) -> None:
    ids = [new_id() for _ in range(25)]
    spilled.add(LANE, [row(id_, offset) for offset, id_ in enumerate([*reversed(ids), *ids])])
    finish(spilled)
    pages = list(spilled.ids(10))
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [id_ for page in pages for id_ in page] == sorted(ids)
    assert spilled.count() == (50, 25)


def test_records_that_are_alike_are_counted_together(spilled: Spill) -> None:
    id_ = new_id()
    spilled.add(LANE, [row(id_, offset) for offset in (3, 4, 5)])
    spilled.add(LANE, [row(id_, 6, b"other"), row(id_, 98), row(id_, 150)])
    spilled.add(HELD, [row(id_, 7, way=Way.SCHEDULED)])
    finish(spilled, committed=99, reached=98)
    found = {(one.content, one.topic, one.offset): one for one in spilled.seen([id_])[id_]}
    assert found[b"c", LANE, 3] == Seen(b"c", None, Way.NONE, "ann", LANE, 0, 3, count=3)
    assert found[b"other", LANE, 6].count == 1
    assert found[b"c", LANE, 98].skipped
    assert found[b"c", LANE, 150].open
    assert found[b"c", HELD, 7] == Seen(b"c", b"p", Way.SCHEDULED, "ann", HELD, 0, 7, open=True)  # nobody commits
    assert len(found) == 5


def test_dead_letters_meet_the_records_at_their_places(spilled: Spill) -> None:
    dead, alive, run = new_id(), new_id(), new_id()
    spilled.add(LANE, [row(dead, 3), row(alive, 4), row(run, 12), Odd(0, 20, 25, 1_020, "no codec")])
    letters = [Letter(LANE, 0, 3, 3, 1_500, None), Letter(LANE, 0, 3, 3, 1_600, None)]
    letters += [Letter(LANE, 0, 10, 13, 1_500, None), Letter(LANE, 0, 18, 22, 1_500, None)]
    spilled.add_letters([*letters, Letter("receipts", 0, 4, 4, 1_500, None)])
    finish(spilled)
    assert {id_: some[0].dead for id_, some in spilled.seen([dead, alive, run]).items()} == {
        dead: True,
        alive: False,
        run: True,
    }
    assert spilled.odd() == (0, 1)
    spilled.meet_letters([dead, run])
    assert list(spilled.letters_without_record()) == []


def test_a_dead_letter_without_a_record_is_found(spilled: Spill) -> None:
    spilled.add(LANE, [row(new_id(), 3)])
    lost = Letter(LANE, 0, 4, 4, 1_500, None)
    earlier_topic, beyond = Letter(LANE, 0, 5, 5, 999, None), Letter(LANE, 0, 100, 100, 1_500, None)
    spilled.add_letters([lost, earlier_topic, beyond])
    finish(spilled)
    assert [(one.fault, one.offset) for one in spilled.letters_without_record()] == [(Fault.LETTER_WITHOUT_RECORD, 4)]


def test_what_cannot_be_processed_needs_a_dead_letter(spilled: Spill) -> None:
    spilled.add(LANE, [Odd(0, n, n, 1_000, f"error {n}") for n in (3, 4, 99)])
    spilled.add_letters([Letter(LANE, 0, 3, 3, 1_500, None)])
    finish(spilled, committed=99)
    (finding,) = spilled.odd_without_letter()
    assert (finding.fault, finding.offset, finding.id) == (Fault.NO_DEAD_LETTER, 4, None)
    assert finding.detail.endswith("error 4")
    assert spilled.odd() == (1, 1)


def test_places_that_were_not_read_tell_nothing(spilled: Spill) -> None:
    id_ = new_id()
    spilled.add(LANE, [row(id_, 3)])
    finish(spilled, ends=(2, 10))
    assert spilled.has_record(id_, LANE, 0, 3) is True
    assert spilled.has_record(id_, LANE, 0, 4) is False
    assert spilled.has_record(id_, LANE, 0, 1) is None
    assert spilled.has_record(id_, LANE, 0, 10) is None
    assert spilled.has_record(id_, LANE, 7, 3) is None
    assert spilled.has_record(id_, "another topic", 0, 3) is None


def test_suspects_may_be_cleared_while_they_are_paged(spilled: Spill) -> None:
    ids = sorted(new_id() for _ in range(7))
    spilled.suspect(ids)
    assert spilled.suspected([*ids[:2], new_id()]) == set(ids[:2])
    seen: list[str] = []
    for page in spilled.suspects(3):
        seen += page
        spilled.clear(page)
    assert seen == ids
    assert not spilled.has_suspects()


def test_findings_of_a_kind_come_together(spilled: Spill) -> None:
    first, second = Finding(Fault.NOWHERE, "a", "x"), Finding(Fault.SKIPPED, "b", None, LANE, 0, 3)
    spilled.find([second, first, second])
    assert list(spilled.findings()) == [first, second, second]
    assert spilled.faults() == {Fault.NOWHERE: 1, Fault.SKIPPED: 2}


def test_refused_copies_are_found_by_id(spilled: Spill) -> None:
    id_ = new_id()
    spilled.add_letters([Letter(LANE, -1, -1, -1, 1_500, id_), Letter(LANE, -1, -1, -1, 1_500, None)])
    assert spilled.refused([id_, new_id()]) == {id_}
    assert spilled.known([id_]) == set()


def test_the_file_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with spill([LANE]):
        assert [*tmp_path.iterdir()]
    assert [*tmp_path.iterdir()] == []


MEASURE = """
    import resource, sys
    from uuid import UUID
    from clarion.broker.consuming.commit_tracker import Partition
    from clarion.operating.ledger.judging.rows import Row, Way
    from clarion.operating.ledger.spill import spill

    count, mixed = int(sys.argv[1]), 0x9E3779B97F4A7C15F39CC0605CEDC835
    with spill(["t"], 2048) as spilled:
        for first in range(0, count, 2000):
            ids = (str(UUID(int=n * mixed % (1 << 128))) for n in range(first, first + 2000))
            spilled.add("t", (Row(i, b"c" * 16, None, 0, first, 0, "somebody" * 4, Way.NONE) for i in ids))
        spilled.sort()
        spilled.set_progress({Partition("t", 0): (0, count)}, {}, {}, {})
        assert sum(len(spilled.seen(page)) for page in spilled.ids(500)) == count
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_mib(count: int) -> float:
    """The most memory that a process takes to sort and read so many records with a cache of 2 MiB."""
    run = [sys.executable, "-c", dedent(MEASURE), str(count)]
    environment = {"PYTHONPATH": f"{repository()}:{repository() / 'libs'}"}
    return int(subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout) / 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_records() -> None:
    """400,000 records have some 50 MB; the cache has 2 MiB, and a sort may take as much again."""
    assert peak_mib(400_000) - peak_mib(2_000) < 12
