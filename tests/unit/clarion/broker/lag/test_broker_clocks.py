"""A clock is off by what its time is outside of the span in which it must have been told."""

import pytest

from clarion.broker.lag.broker_clocks import beyond


@pytest.mark.parametrize(("told", "off_by"), [(100.0, 0), (100.7, 0), (101.0, 0), (103.5, 2.5), (40.0, -60.0)])
def test_a_clock_is_off_by_what_is_outside_of_the_span(told: float, off_by: float) -> None:
    assert beyond(told, 100.0, 101.0) == off_by
