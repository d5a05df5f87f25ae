"""Backoff with full jitter."""

from hypothesis import given
from hypothesis import strategies as st

from clarion.resilience.backoff import Backoff


@given(st.integers(0, 10_000))
def test_a_delay_is_at_most_the_doubled_base_and_the_cap(failures: int) -> None:
    backoff = Backoff(base_s=0.1, cap_s=10.0)
    ceiling = min(10.0, 0.1 * 2 ** min(failures, 32))
    assert backoff.delay(failures, lambda low, _: low) == 0
    assert backoff.delay(failures, lambda _, high: high) == ceiling
    assert 0 <= backoff.delay(failures) <= ceiling
