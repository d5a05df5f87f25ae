"""What a gateway makes of the `resume` that a client kept: never silence about what it cannot tell."""

from datetime import UTC, datetime, timedelta

import pytest

from clarion.contracts import order, times
from clarion.contracts.frames import Resume
from clarion.contracts.lanes import Lane
from services.gateway.feed import FRESH_MARGIN, RESUME_MARGIN, Feed
from services.gateway.resume import OLDEST_SINCE, take_over

NOW = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)


def feed() -> Feed:
    return Feed(opened=NOW, since=NOW)


def test_who_brings_nothing_is_fresh_and_owed_nothing_more() -> None:
    fresh = feed()
    assert take_over(fresh, Resume()) == ({}, False)
    assert fresh.delivered_since() == NOW - FRESH_MARGIN


def test_a_since_of_the_last_day_is_looked_back_to() -> None:
    resumed, since = feed(), NOW - timedelta(hours=23)
    found = take_over(resumed, Resume({Lane.HIGH: (1, 7)}, times.rfc3339(since)))
    assert found == ({Lane.HIGH: order.pack(1, 7)}, False)
    assert resumed.delivered_since() == since - RESUME_MARGIN


@pytest.mark.parametrize(
    "since",
    [
        None,
        "",
        "garbage",
        "2026-11-23T01:02:02.999Z",  # a day and a millisecond
        "0001-01-01T00:00:00+14:00",
        "2026-11-24T01:02:03",  # of no zone
        "2099-01-01T00:00:00Z",
    ],
)
@pytest.mark.parametrize("cursors", [{Lane.HIGH: (0, 7)}, {}])
def test_what_others_acknowledged_before_is_looked_for_a_day_back_and_told(
    since: str | None, cursors: dict[Lane, tuple[int, int]]
) -> None:
    if since is None and not cursors:
        return  # a fresh one
    resumed = feed()
    assert take_over(resumed, Resume(cursors, since)).is_short
    assert resumed.delivered_since() == NOW - OLDEST_SINCE - RESUME_MARGIN
    assert not resumed.fresh


def test_a_gateway_whose_clock_was_ahead_told_no_nonsense() -> None:
    resumed = feed()
    assert not take_over(resumed, Resume({}, times.rfc3339(NOW + timedelta(minutes=1)))).is_short
    assert resumed.delivered_since() == NOW - RESUME_MARGIN
