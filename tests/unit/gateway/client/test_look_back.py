"""How far a feed looks back, and how it goes live without a read."""

from datetime import timedelta

from clarion.contracts.lanes import LANES, Lane
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import DELIVERED_REPLAYS, LOOK_BACK_MOST, Feed, LookBack
from tests.unit.gateway.client.feeds import NOW, item, live_feed, push


def test_a_resumed_feed_looks_back_further_than_a_fresh_one() -> None:
    fresh = Feed(opened=NOW, since=NOW)
    assert fresh.delivered_since() == NOW - timedelta(seconds=5)
    resumed = Feed(opened=NOW, since=NOW)
    resumed.resume({Lane.LOW: 7}, NOW - timedelta(hours=1))
    assert resumed.delivered_since() == NOW - timedelta(hours=1, minutes=15)
    resumed.delivered_replays = DELIVERED_REPLAYS
    assert resumed.delivered_since() is None
    reads = [issued for _ in LANES if (issued := resumed.next_read()) and not resumed.read(issued, [])]
    assert [read.after for read in reads] == [-1, -1, -1, 7]


def test_who_is_live_again_may_fall_behind_as_far_once_more() -> None:
    """Of what other devices acknowledged, the limit is for each time: a device that is often slow misses nothing."""
    feed = live_feed()
    feed.fall_behind()
    issued = feed.next_read(2 * DELIVERED_REPLAYS)
    assert issued is not None
    many = [item(issued.lane, n) for n in range(issued.limit)]
    more: list[OutgoingItem] | None = feed.found(issued, many, range(issued.limit))
    sent: list[OutgoingItem] = []
    while more:
        sent += more
        feed.ack(feed.send(more))
        more = feed.more()
    assert sent == many[:DELIVERED_REPLAYS], "not more than that of what was kept ahead, either"
    assert feed.delivered_since() is None
    while issued := feed.next_read():
        feed.read(issued, [])
    assert feed.delivered_since() == NOW - timedelta(seconds=5)


def test_whoever_has_nothing_waiting_goes_live_without_a_read() -> None:
    feed = Feed(opened=NOW, since=NOW)
    asked = feed.look_back()
    assert asked is not None
    assert asked == LookBack(NOW - timedelta(seconds=5), 0)
    feed.nothing_pending(asked, set(), {})
    assert feed.is_live
    assert push(feed, item(Lane.LOW, 1)) == [item(Lane.LOW, 1)]


def test_only_lanes_with_something_to_send_have_to_read() -> None:
    feed = Feed(opened=NOW, since=NOW)
    feed.resume({Lane.HIGH: 7, Lane.NORMAL: 7}, NOW)
    asked = feed.look_back()
    assert asked is not None
    push(feed, item(Lane.URGENT, 3))
    feed.nothing_pending(asked, {Lane.LOW}, {Lane.HIGH: 7, Lane.NORMAL: 8})
    reads = [issued.lane for _ in LANES if (issued := feed.next_read()) and not feed.read(issued, [])]
    assert reads == [Lane.URGENT, Lane.NORMAL, Lane.LOW]


def test_an_answer_from_before_a_miss_or_resume_makes_none_live() -> None:
    fell = Feed(opened=NOW, since=NOW)
    asked = fell.look_back()
    assert asked is not None
    fell.fall_behind()
    fell.nothing_pending(asked, set(), {})
    assert not fell.is_live
    resumed = Feed(opened=NOW, since=NOW)
    resumed.resume({}, NOW - timedelta(minutes=5))  # came late
    resumed.nothing_pending(asked, set(), {})
    assert not resumed.is_live


def test_a_client_that_was_away_for_long_is_not_asked_about() -> None:
    feed = Feed(opened=NOW, since=NOW)
    feed.resume({}, NOW - LOOK_BACK_MOST)
    assert feed.look_back() is None
