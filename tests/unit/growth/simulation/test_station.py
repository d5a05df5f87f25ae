"""A station does no more than its cores can, gives no kind more than it has under way, and loses no work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.growth.simulation.station import Station

WORK = st.dictionaries(st.sampled_from("abcd"), st.floats(0, 10), min_size=1)


def station(cores: float, **waiting: float) -> Station:
    return Station(cores, dict(waiting))


def test_what_fits_is_done() -> None:
    of = station(2, a=0.5, b=0.5)
    assert of.run(1, {"a": 1, "b": 1}) == {"a": 0.5, "b": 0.5}
    assert of.backlog_s == 0


def test_one_piece_takes_one_core_at_most() -> None:
    of = station(8, a=5.0)
    assert of.run(1, {"a": 1}) == {"a": 1.0}


def test_pieces_share_cores_evenly() -> None:
    of = station(2, a=10.0, b=10.0)
    assert of.run(1, {"a": 1, "b": 9}) == pytest.approx({"a": 0.2, "b": 1.8})


def test_what_one_kind_does_not_need_others_get() -> None:
    of = station(2, a=0.1, b=10.0)
    assert of.run(1, {"a": 5, "b": 5}) == pytest.approx({"a": 0.1, "b": 1.9})


@given(st.floats(0.5, 10), WORK, st.floats(0.01, 2))
def test_no_work_is_lost_and_no_core_is_used_twice(cores: float, work: dict[str, float], seconds: float) -> None:
    of = Station(cores, dict(work))
    done = of.run(seconds, dict.fromkeys(work, 3.0))
    assert sum(done.values()) <= cores * seconds * (1 + 1e-9)
    for kind, was in work.items():
        assert 0 <= done[kind] <= min(was, 3.0 * seconds) + 1e-9
        assert of.waiting[kind] == pytest.approx(was - done[kind], abs=1e-9)
    wanted = sum(min(was, 3.0 * seconds) for was in work.values())
    assert sum(done.values()) == pytest.approx(min(wanted, cores * seconds), abs=1e-6)
