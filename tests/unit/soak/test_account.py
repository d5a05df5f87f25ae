"""The account of a soak finds what is lost, doubled, out of order or another's, and forgets what is settled."""

import pytest

from clarion.client import Lane
from clarion.contracts.limits import REMEMBERED_IDS
from tests.soak.account import Account, Kind, text
from tests.soak.traffic import KINDS, LANES, WAYS

ANN = text("ann")


def account(*, is_read_elsewhere: bool = False) -> Account:
    return Account("ann", is_read_elsewhere)


def test_what_is_handed_once_is_settled() -> None:
    of = account()
    of.published("a", must_come=True)
    of.received("a", ANN, Lane.LOW, (0, 1))
    assert (of.missing, of.unexpected, of.doubled, of.out_of_order, of.foreign) == (set(), set(), [], [], [])


def test_what_is_not_handed_is_missing() -> None:
    of = account()
    of.published("a", must_come=True)
    of.published("b", must_come=False)
    assert of.missing == {"a"}


def test_what_another_device_may_have_read_is_not_missing() -> None:
    of = account(is_read_elsewhere=True)
    of.published("a", must_come=True)
    assert of.missing == set()


def test_what_comes_before_its_answer_is_not_unexpected() -> None:
    of = account()
    of.received("a", ANN, Lane.LOW, (0, 1))
    assert of.unexpected == {"a"}
    of.published("a", must_come=True)
    assert (of.unexpected, of.missing) == (set(), set())


def test_what_comes_twice_is_doubled() -> None:
    of = account()
    of.published("a", must_come=True)
    of.received("a", ANN, Lane.LOW, (0, 1))
    of.received("a", ANN, Lane.LOW, (0, 1))
    assert of.doubled == ["a"]


def test_what_was_early_may_come_again_once_it_is_stored() -> None:
    of = account()
    of.published("a", must_come=True)
    of.received("a", ANN, Lane.URGENT, None)
    of.received("a", ANN, Lane.URGENT, (0, 1))
    assert (of.doubled, of.early) == ([], 1)
    of.received("a", ANN, Lane.URGENT, (0, 1))
    assert of.doubled == ["a"]


def test_each_lane_has_an_order_of_its_own() -> None:
    of = account()
    for id_, lane, ord_ in (("a", Lane.LOW, (0, 2)), ("b", Lane.HIGH, (0, 1)), ("c", Lane.LOW, (0, 1))):
        of.published(id_, must_come=True)
        of.received(id_, ANN, lane, ord_)
    assert of.out_of_order == ["c"]


def test_what_is_for_another_user_is_foreign() -> None:
    of = account()
    of.published("a", must_come=True)
    of.received("a", text("bob"), Lane.LOW, (0, 1))
    assert of.foreign == ["a"]


def test_no_more_ids_are_remembered_than_an_sdk_does() -> None:
    of = account()
    for n in range(REMEMBERED_IDS + 10):
        of.published(str(n), must_come=True)
        of.received(str(n), ANN, Lane.LOW, (0, n))
    assert len(of._recent) == REMEMBERED_IDS
    assert of.missing == set()


def test_every_kind_is_published() -> None:
    assert set(KINDS) == set(Kind)
    assert sum(KINDS.values()) == sum(LANES.values()) == 100
    assert sum(WAYS.values()) == pytest.approx(1)
