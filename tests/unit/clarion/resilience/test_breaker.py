"""The circuit breaker: when it opens, who tries, and when it closes."""

from hypothesis import given
from hypothesis import strategies as st

from clarion.resilience.breaker import Breaker, BreakerState


def failing(breaker: Breaker, calls: int, now: float) -> None:
    for _ in range(calls):
        if breaker.wait_s(now) == 0:
            breaker.ended(now, failed=True)


def test_opens_at_half_of_at_least_twenty_calls_in_ten_seconds() -> None:
    breaker = Breaker()
    failing(breaker, 19, 0.0)
    assert breaker.state is BreakerState.CLOSED
    failing(breaker, 1, 9.9)
    assert breaker.state is BreakerState.OPEN


def test_failures_of_long_ago_and_few_among_many_open_nothing() -> None:
    breaker = Breaker()
    failing(breaker, 19, 0.0)
    failing(breaker, 19, 10.0)
    assert breaker.state is BreakerState.CLOSED
    steady = Breaker()
    for n in range(1_000):
        steady.ended(n / 100, failed=n % 3 == 0)
    assert steady.state is BreakerState.CLOSED


def test_half_open_lets_one_try_and_its_outcome_decides() -> None:
    breaker = Breaker()
    failing(breaker, 20, 0.0)
    assert breaker.wait_s(1.0) == 4.0
    assert breaker.wait_s(5.0) == 0.0
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.wait_s(5.5) == 4.5, "one at a time"
    breaker.ended(6.0, failed=True)
    assert breaker.state is BreakerState.OPEN
    assert breaker.wait_s(6.0) == 5.0
    assert breaker.wait_s(11.0) == 0.0
    breaker.ended(11.0, failed=False)
    assert breaker.state is BreakerState.CLOSED
    failing(breaker, 19, 11.0)
    assert breaker.state is BreakerState.CLOSED, "it starts to count anew"


def test_a_try_that_never_ends_holds_nobody_up_for_ever() -> None:
    breaker = Breaker()
    failing(breaker, 20, 0.0)
    assert breaker.wait_s(5.0) == 0.0
    assert breaker.wait_s(10.0) == 0.0


@given(st.lists(st.tuples(st.integers(0, 64), st.booleans()), max_size=200))
def test_it_never_locks_for_longer_than_it_is_open(steps: list[tuple[int, bool]]) -> None:
    breaker = Breaker(least_calls=3)
    now = 0.0
    for pause, failed in steps:
        now += pause / 8
        wait = breaker.wait_s(now)
        assert 0 <= wait <= 5.0
        if not wait:
            breaker.ended(now, failed=failed)
    assert breaker.wait_s(now + 5.0) == 0.0
