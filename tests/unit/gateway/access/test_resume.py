"""What a gateway makes of the `resume` that a client kept: never silence about what it cannot tell."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from clarion.contracts import order, times
from clarion.contracts.api.frames import Resume
from clarion.contracts.lanes import Lane
from services.gateway.access.resume import OLDEST_SINCE, Beyond, Trusted, take_over, trust
from services.gateway.client.feed import FRESH_MARGIN, RESUME_MARGIN, Feed

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
def test_an_unusable_since_is_looked_back_for_a_day_and_told(
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


def asking(ahead: set[Lane] | None) -> Beyond:
    async def beyond(user: str, cursors: Mapping[Lane, int]) -> set[Lane] | None:
        assert user == "ann"
        assert cursors
        return ahead

    return beyond


MINE = Resume({Lane.HIGH: (0, 7), Lane.LOW: (0, 9)}, "2026-11-24T01:00:00Z", "ann", "d1")


async def test_what_was_kept_for_this_user_of_this_deployment_counts() -> None:
    assert await trust(MINE, "ann", "d1", asking(set())) == Trusted(MINE, acknowledges=True, forget=[])
    earlier = Resume(MINE.cursors, MINE.since)  # an SDK that does not keep whose it is
    assert await trust(earlier, "ann", "d1", asking(set())) == Trusted(earlier, acknowledges=True, forget=[])


@pytest.mark.parametrize(("user", "deployment"), [("bob", "d1"), ("ann", "d2")])
async def test_what_was_kept_for_others_counts_for_nothing(user: str, deployment: str) -> None:
    found = await trust(MINE, user, deployment, asking(None))
    assert found == Trusted(Resume(), acknowledges=False, forget=[Lane.HIGH, Lane.LOW], is_foreign=True)


async def test_a_cursor_above_its_lane_is_forgotten_and_others_count() -> None:
    found = await trust(MINE, "ann", "d1", asking({Lane.LOW}))
    assert found.frame.cursors == {Lane.HIGH: (0, 7)}
    assert found.frame.since == MINE.since
    assert (found.acknowledges, found.forget, found.is_foreign) == (True, [Lane.LOW], False)


async def test_no_cursor_acknowledges_while_lane_ends_are_unknown() -> None:
    assert await trust(MINE, "ann", "d1", asking(None)) == Trusted(MINE, acknowledges=False, forget=[])
