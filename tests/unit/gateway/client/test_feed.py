"""One connection's feed: what is read for it next, and when a lane is live."""

from datetime import timedelta

from clarion.contracts.lanes import LANES, Lane
from services.gateway.client.feed import CatchUpRead, Feed
from tests.unit.gateway.client.feeds import NOW, item, live_feed, push


def test_reads_are_urgent_first() -> None:
    feed = Feed(opened=NOW, since=NOW)
    lanes: list[Lane] = []
    while issued := feed.next_read():
        lanes.append(issued.lane)
        feed.read(issued, [])
    assert lanes == list(LANES)


def test_a_mark_after_a_read_keeps_the_lane_from_going_live() -> None:
    """D-live-mark: the read may have been answered before that item was stored."""
    feed = Feed(opened=NOW, since=NOW)
    issued = feed.next_read()
    assert issued is not None
    push(feed, item(issued.lane, 5))
    feed.read(issued, [])
    again = feed.next_read()
    assert again is not None
    assert (again.lane, again.high_water) == (issued.lane, 5)
    assert feed.read(again, [item(issued.lane, 5)]) == [item(issued.lane, 5)]


def test_an_exhausted_read_passes_marks_of_what_was_retracted() -> None:
    """D-mark-passed: else the connection would wait for ever for what does not come."""
    feed = Feed(opened=NOW, since=NOW)
    push(feed, item(Lane.URGENT, 5))
    issued = feed.next_read()
    assert issued is not None
    feed.read(issued, [])
    following = feed.next_read()
    assert following is not None
    assert following.lane is not Lane.URGENT
    assert push(feed, item(Lane.URGENT, 5)) == []


def test_since_moves_only_while_every_lane_is_live() -> None:
    later = NOW + timedelta(minutes=1)
    feed = live_feed()
    assert feed.advance_since(None) == NOW
    feed.fall_behind()
    assert feed.advance_since(later) == NOW
    while issued := feed.next_read():
        feed.read(issued, [])
    assert feed.advance_since(later) == later
    assert feed.advance_since(NOW) == later


def test_a_read_from_before_a_miss_makes_no_lane_live() -> None:
    feed = Feed(opened=NOW, since=NOW)
    issued = feed.next_read()
    assert issued is not None
    feed.fall_behind()  # what the mailbox lost may have been stored after the read was answered
    feed.read(issued, [])
    assert feed.next_read() == CatchUpRead(issued.lane, issued.after, issued.high_water, issued.limit, 1)
