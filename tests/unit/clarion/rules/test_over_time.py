"""What is computed over a range of samples, by figures worked out from Prometheus' source and by properties."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.rules import over_time


def test_an_increase_covers_the_range_that_samples_reach() -> None:
    times, values = [5.0, 15.0, 25.0, 35.0], [1000.0, 1010.0, 1020.0, 1030.0]
    assert over_time.increase(times, values, 0.0, 40.0) == pytest.approx(40.0)


def test_a_counter_that_starts_again_counts_on() -> None:
    times, values = [0.0, 10.0, 20.0, 30.0], [100.0, 110.0, 5.0, 15.0]
    assert over_time.increase(times, values, 0.0, 30.0) == pytest.approx(25.0)


def test_an_increase_reaches_half_a_step_beyond_a_late_begin() -> None:
    times, values = [100.0, 110.0, 120.0], [500.0, 510.0, 520.0]
    assert over_time.increase(times, values, 0.0, 120.0) == pytest.approx(25.0)


def test_an_increase_is_not_continued_below_zero() -> None:
    times, values = [5.0, 15.0, 25.0], [1.0, 11.0, 21.0]
    assert over_time.increase(times, values, 0.0, 25.0) == pytest.approx(21.0)


@settings(deadline=None)  # an example waits for whatever else the machine does
@given(st.floats(-100, 100), st.floats(-1e6, 1e6), st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_the_slope_of_a_line_is_its_own(slope: float, first: float, gaps: list[int]) -> None:
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    values = [first + slope * time for time in times]
    assert over_time.slope(times, values) == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_changes_are_counted_and_samples_are_not() -> None:
    assert over_time.changes([1.0, 1.0, 2.0, 2.0, 1.0]) == 2
    assert over_time.changes([7.0]) == 0


def test_a_quantile_lies_within_its_bucket() -> None:
    buckets = [(0.1, 50.0), (0.5, 90.0), (1.0, 100.0), (math.inf, 100.0)]
    assert over_time.quantile(0.5, buckets) == pytest.approx(0.1)
    assert over_time.quantile(0.7, buckets) == pytest.approx(0.3)
    assert over_time.quantile(0.25, buckets) == pytest.approx(0.05)


def test_what_is_beyond_the_last_bound_counts_as_that_bound() -> None:
    assert over_time.quantile(0.99, [(0.1, 1.0), (1.0, 2.0), (math.inf, 100.0)]) == 1.0


def test_a_histogram_without_observations_has_no_quantile() -> None:
    assert math.isnan(over_time.quantile(0.9, [(0.1, 0.0), (math.inf, 0.0)]))
    assert math.isnan(over_time.quantile(0.9, [(0.1, 5.0), (1.0, 6.0)]))


def test_buckets_read_at_different_moments_still_have_a_quantile() -> None:
    assert over_time.quantile(0.5, [(0.1, 10.0), (0.5, 9.0), (math.inf, 10.0)]) == pytest.approx(0.05)
