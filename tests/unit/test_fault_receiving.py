"""The account of what devices were handed finds each wrong: a check that cannot fail would prove nothing."""

from clarion.contracts.lanes import Lane
from tests.faults.account import Said
from tests.faults.receiving import Handed, judge

PUBLISHED = {"a": Said("ann", "1"), "b": Said("ann", "2"), "c": Said("bob", "3")}
A, B = Handed("a", "1", Lane.NORMAL, (0, 5)), Handed("b", "2", Lane.NORMAL, (0, 6))


def wrongs(handed: list[Handed], unsure: tuple[str, ...] = ()) -> dict[str, list[str]]:
    found = judge(PUBLISHED, unsure, [("ann", handed)])
    assert found.handed == len(handed)
    return {wrong: ids for wrong, ids in found.wrongs().items() if ids}


def test_all_is_well_on_each_device_of_a_user() -> None:
    devices = [("ann", [A, B]), ("ann", [A, B]), ("bob", [Handed("c", "3", Lane.URGENT, None)])]
    assert not any(judge(PUBLISHED, [], devices).wrongs().values())


def test_each_wrong_is_found() -> None:
    assert wrongs([A]) == {"lost": ["b"]}
    assert wrongs([B, A]) == {"out of order": ["a"]}
    assert wrongs([A, B, Handed("c", "3", Lane.URGENT, (0, 9))]) == {"to another user": ["c"]}
    assert wrongs([A, Handed("b", "other", Lane.NORMAL, (0, 6))]) == {"to another user": ["b"]}
    ghost = Handed("x", "?", Lane.LOW, (0, 1))
    assert wrongs([A, B, ghost]) == {"unexpected": ["x"]}
    assert wrongs([A, B, ghost], ("x",)) == {}
    assert wrongs([A, B, A]) == {"out of order": ["a"], "twice after the SDK": ["a"]}


def test_what_came_early_has_no_place_in_the_order() -> None:
    assert wrongs([B._replace(ord=None), A]) == {}
    assert wrongs([B, A._replace(ord=None)]) == {}
