"""The account of what devices were handed finds each wrong: a check that cannot fail would prove nothing."""

import msgspec

from clarion.contracts.api.frames import Batch
from clarion.contracts.lanes import Lane
from tests.faults.account import Said
from tests.faults.gateway.devices import Watched
from tests.faults.gateway.receiving import Had, Handed, judge

PUBLISHED = {"a": Said("ann", "1"), "b": Said("ann", "2"), "c": Said("bob", "3")}
A, B = Handed("a", "1", Lane.NORMAL, (0, 5)), Handed("b", "2", Lane.NORMAL, (0, 6))


def wrongs(handed: list[Handed], unsure: tuple[str, ...] = ()) -> dict[str, list[str]]:
    found = judge(PUBLISHED, unsure, [Had("ann", handed)])
    assert found.handed == len(handed)
    return {wrong: ids for wrong, ids in found.wrongs().items() if ids}


def test_all_is_well_on_each_device_of_a_user() -> None:
    devices = [Had("ann", [A, B]), Had("ann", [A, B]), Had("bob", [Handed("c", "3", Lane.URGENT, None)])]
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


def test_what_a_device_was_told_to_look_for_is_not_lost() -> None:
    told, not_told = Had("ann", [A], frozenset({"b"})), Had("ann", [A])
    assert not any(judge(PUBLISHED, [], [told, Had("bob", [], frozenset({"c"}))]).wrongs().values())
    assert judge(PUBLISHED, [], [told, not_told]).lost == ["b"]


def test_what_came_early_has_no_place_in_the_order() -> None:
    assert wrongs([B._replace(ord=None), A]) == {}
    assert wrongs([B, A._replace(ord=None)]) == {}


def batch(tag: int, *ids: str, unstored: bool = False) -> Batch:
    rest: dict[str, object] = {
        "type": "t",
        "message": "m",
        "sender": "s",
        "data": {},
        "created_at": "",
        "lane": "urgent",
    }
    place: dict[str, object] = {"unstored": True} if unstored else {"ord": [0, tag]}
    return Batch(tag, [msgspec.Raw(msgspec.json.encode({"id": id_} | rest | place)) for id_ in ids], None)


async def test_repeats_on_the_wire_are_counted_but_not_early_items() -> None:
    watched = Watched(["http://gateway"], "t", lambda _: None, lambda _: None)
    watched._on_frame(batch(1, "a", unstored=True))
    watched._on_frame(batch(2, "a", "b"))
    assert (watched.repeats, len(watched.came_early)) == (0, 1)
    watched._on_frame(batch(3, "a", "b"))
    assert watched.repeats == 2
