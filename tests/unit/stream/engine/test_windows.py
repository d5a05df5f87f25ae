"""When a window closes: by records, bytes, age, or for want of anything new."""

from hypothesis import given
from hypothesis import strategies as st

from clarion.contracts.lanes import LANES, Lane
from services.stream.engine.windows import POLICIES, Window, WindowPolicy
from tests.unit.records import batch

# times are binary fractions, so that sums are exact
POLICY = WindowPolicy(max_records=10, max_age_s=0.125, max_bytes=1_000)


def test_every_lane_has_a_policy_and_urgent_waits_for_nothing() -> None:
    assert set(POLICIES) == set(LANES)
    window = Window(POLICIES[Lane.URGENT], opened=5.0)
    window.add(batch([b"x"]), 5.0)
    assert window.wait_s(5.0) == 0


def test_closes_when_nothing_came_for_a_quarter_of_its_time() -> None:
    window = Window(POLICY, opened=0.0)
    window.add(batch([b"x"]), 0.0)
    assert window.wait_s(0.0) == 0.03125
    window.add(batch([b"x"]), 0.015625)
    assert window.wait_s(0.015625) == 0.03125
    assert window.wait_s(0.046875) == 0


def test_closes_at_its_bytes() -> None:
    window = Window(POLICY, opened=0.0)
    window.add(batch([b"x" * 999]), 0.0)
    assert not window.is_full()
    window.add(batch([b"x"]), 0.0)
    assert window.is_full()
    assert window.wait_s(0.0) == 0


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 300), st.integers(0, 40)), min_size=1, max_size=40),
)
def test_never_waits_beyond_its_age_nor_while_full(arrivals: list[tuple[int, int, int]]) -> None:
    """Fill a window as a pipeline does, on a clock of its own."""
    now = 0.0
    window = Window(POLICY, opened=now)
    for count, size, pause_ms in arrivals:
        pause = pause_ms / 1024  # exact in binary
        window.add(batch([b"x" * size] * count), now)
        wait = window.wait_s(now)
        assert 0 <= wait <= POLICY.idle_s
        if window.is_full():
            assert wait == 0
        if wait == 0 or pause > wait:
            break
        now += pause
    assert now <= POLICY.max_age_s
    # at most one batch over the limit
    assert window.records < POLICY.max_records + 5
