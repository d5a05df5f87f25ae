"""The account of a fault run finds each wrong: a check that cannot fail would prove nothing."""

from tests.faults.account import Emission, Said, account

ANN = frozenset({"ann"})
PUBLISHED = {"a": Said("ann", "1"), "b": Said("ann", "2"), "c": Said("bob", "3")}
EMITTED = [Emission(0, "ann", "a", 1), Emission(0, "ann", "b", 2)]


def test_a_run_that_lost_nothing_has_no_wrongs() -> None:
    verdict = account(PUBLISHED, [], PUBLISHED, EMITTED, ANN)
    assert verdict.wrongs() == {}
    assert verdict.repeats == 0


def test_each_wrong_is_found() -> None:
    lost = {id_: said for id_, said in PUBLISHED.items() if id_ != "c"}
    assert account(PUBLISHED, [], lost, EMITTED, ANN).wrongs() == {"lost": ["c"]}
    changed = PUBLISHED | {"c": Said("bob", "other")}
    assert account(PUBLISHED, [], changed, EMITTED, ANN).wrongs() == {"changed": ["c"]}
    more = PUBLISHED | {"x": Said("bob", "?")}
    assert account(PUBLISHED, [], more, EMITTED, ANN).wrongs() == {"unexpected": ["x"]}
    assert account(PUBLISHED, ["x"], more, EMITTED, ANN).wrongs() == {}
    ghost = [*EMITTED, Emission(0, "ann", "y", 3)]
    assert account(PUBLISHED, [], PUBLISHED, ghost, ANN).wrongs() == {"unexpected": ["y"]}
    assert account(PUBLISHED, [], PUBLISHED, EMITTED[:1], ANN).wrongs() == {"never emitted": ["b"]}
    assert account(PUBLISHED, [], PUBLISHED, EMITTED[::-1], ANN).wrongs() == {"out of order": ["a"]}


def test_repeats_are_counted_and_not_called_out_of_order() -> None:
    verdict = account(PUBLISHED, [], PUBLISHED, [*EMITTED, EMITTED[0], EMITTED[0]], ANN)
    assert verdict.repeats == 2
    assert verdict.wrongs() == {}
