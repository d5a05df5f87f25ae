"""Marks until they are confirmed."""

from clarion.client.subscribing.marks import Mark, Marks
from clarion.contracts import limits
from clarion.contracts.api.frames import Archive, Read, Unread
from clarion.contracts.records.receipts import Op


def due(marks: Marks) -> list[Mark]:
    frames: list[Mark] = []
    while frame := marks.next_frame():
        frames.append(frame)
    return frames


def test_each_is_sent_once_until_all_are_sent_again() -> None:
    marks = Marks()
    assert marks.add(Read, ["a", "b"])
    assert marks.add(Archive, ["a"])
    assert due(marks) == [Read(["a", "b"]), Archive(["a"])]
    assert due(marks) == []
    marks.unsent()
    assert due(marks) == [Read(["a", "b"]), Archive(["a"])]


def test_a_later_mark_replaces_an_earlier_one_but_not_archiving() -> None:
    marks = Marks()
    for kind in (Read, Archive, Unread):
        assert marks.add(kind, ["a"])
    assert due(marks) == [Archive(["a"]), Unread(["a"])]


def test_a_frame_takes_all_of_its_kind_that_fit() -> None:
    marks = Marks()
    ids = [str(number) for number in range(limits.IDS_PER_FRAME + 1)]
    assert marks.add(Read, ids[:-1])
    assert marks.add(Unread, ["x"])
    assert marks.add(Read, ids[-1:])
    assert due(marks) == [Read(ids[:-1]), Unread(["x"]), Read(ids[-1:])]
    marks.confirmed(Op.READ, ids[:1])
    marks.unsent()
    assert due(marks) == [Read(ids[1:]), Unread(["x"])]


def test_a_mark_is_confirmed_by_its_own_change_once_it_is_sent() -> None:
    marks = Marks()
    assert marks.add(Unread, ["a"])
    assert not marks.confirmed(Op.UNREAD, ["a"])
    due(marks)
    assert not marks.confirmed(Op.READ, ["a"])
    assert not marks.confirmed(Op.ARCHIVED, ["a"])
    assert not marks.confirmed(Op.UNREAD, ["b"])
    assert marks.confirmed(Op.UNREAD, ["a", "b"])
    assert len(marks) == 0


def test_marks_of_what_is_gone_are_settled_sent_or_not() -> None:
    marks = Marks()
    assert marks.add(Read, ["a", "b"])
    due(marks)
    assert marks.add(Archive, ["a"])
    assert marks.confirmed(Op.RETRACTED, ["a"])
    assert marks.confirmed(Op.EXPIRED, ["b"])
    assert len(marks) == 0


def test_what_was_unarchived_is_not_archived_again() -> None:
    marks = Marks()
    assert marks.add(Archive, ["a"])
    due(marks)
    assert marks.confirmed(Op.UNARCHIVED, ["a"])


def test_marks_that_do_not_all_fit_are_not_taken_at_all() -> None:
    marks = Marks(most=3)
    assert marks.add(Read, ["a", "b"])
    assert not marks.add(Read, ["c", "d"])
    assert marks.add(Unread, ["a", "b", "c"]), "which takes no more room"
    assert due(marks) == [Unread(["a", "b", "c"])]
    assert not marks.add(Archive, ["a"])
    assert marks.confirmed(Op.UNREAD, ["b"])
    assert marks.add(Archive, ["a"])
