"""Which gateway a subscriber tries next."""

import itertools

import pytest

from clarion.client.subscribing.endpoints import Endpoints


def test_one_address_is_tried_again_and_again_when_it_may_be() -> None:
    one = Endpoints(["a"])
    assert one.next(10.0) == "a"
    one.turned_away(15.0)
    assert one.wait_s(12.0) == 3.0
    assert one.next(15.0) == "a"


def test_another_one_is_tried_before_the_same_again() -> None:
    three = Endpoints(["a", "b", "c"])
    tried = [three.next(float(n)) for n in range(200)]
    assert all(one != after for one, after in itertools.pairwise(tried))
    assert set(tried) == {"a", "b", "c"}


def test_what_one_asks_for_keeps_nobody_from_another() -> None:
    two = Endpoints(["a", "b"])
    first = two.next(0.0)
    two.turned_away(30.0)
    assert two.wait_s(0.0) == 0.0
    second = two.next(0.0)
    assert second != first
    assert two.next(1.0) == second, "the first does not want to be asked yet"
    two.turned_away(20.0)
    assert two.wait_s(1.0) == 19.0
    assert two.next(2.0) == second, "which may be asked soonest"


def test_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="no gateway's address"):
        Endpoints([])
