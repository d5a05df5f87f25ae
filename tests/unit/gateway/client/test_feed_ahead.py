"""What a feed was read ahead of its credit: when it goes out, and when it is let go of."""

from datetime import timedelta

from clarion.contracts.lanes import Lane
from clarion.contracts.limits import (
    CREDIT_BYTES,
    CREDIT_ITEMS,
    CREDIT_URGENT_ITEMS,
    ITEMS_PER_RECORD,
)
from services.gateway.client.feed import START, Feed
from tests.unit.gateway.client.feeds import NOW, found, item, live_feed, push


def test_what_was_found_beyond_credit_follows_once_it_returns() -> None:
    feed, many = Feed(opened=NOW, since=NOW), [item(Lane.URGENT, n) for n in range(100)]
    assert found(feed, *many) == many[:CREDIT_ITEMS]
    assert feed.more() is None, "nothing without credit"
    push(feed, item(Lane.URGENT, 100))
    feed.ack(1)
    assert feed.more() == many[CREDIT_ITEMS:]
    again = feed.next_read()
    assert again is not None
    assert (again.lane, again.after, again.high_water) == (Lane.URGENT, 99, 100), (
        "what came meanwhile is marked, and read"
    )
    assert feed.more() is None


def test_what_was_kept_ahead_waits_while_urgent_is_to_be_read() -> None:
    feed = live_feed()
    feed.resume({Lane.LOW: START}, None)
    many = [item(Lane.LOW, n) for n in range(100)]
    assert found(feed, *many) == many[:ITEMS_PER_RECORD]
    left = CREDIT_ITEMS - ITEMS_PER_RECORD
    pushed = [push(feed, item(Lane.URGENT, n)) for n in range(left + 1)]
    assert [len(items) for items in pushed] == [1] * left + [0]
    feed.ack(feed.tag)
    assert feed.more() is None
    assert found(feed, item(Lane.URGENT, left)) == [item(Lane.URGENT, left)]
    issued = feed.next_read()
    assert issued is not None
    assert (issued.lane, issued.after) == (Lane.LOW, ITEMS_PER_RECORD - 1), "read again from there"


def test_what_was_missed_goes_out_by_the_full_frame() -> None:
    feed, many = live_feed(), [item(Lane.LOW, n) for n in range(500)]
    feed.resume({Lane.LOW: START}, None)
    for n in range(20):  # each in a frame of its own
        push(feed, item(Lane.HIGH, n))
    assert found(feed, *many) == many[: CREDIT_ITEMS - CREDIT_URGENT_ITEMS - 20]
    frames: list[int] = []
    for tag in range(1, 21):
        feed.ack(tag)
        if send := feed.more():
            frames.append(len(send))
            feed.send(send)
    assert frames == [], "not one for each of them"
    while len(frames) < 5:
        feed.ack(feed.tag)
        send = feed.more()
        assert send
        frames.append(len(send))
        feed.send(send)
    assert frames == [ITEMS_PER_RECORD] * 5


def test_what_is_urgent_and_missed_waits_for_no_full_frame() -> None:
    feed = live_feed()
    feed.resume({Lane.URGENT: START, Lane.LOW: START}, None)
    for n in range(CREDIT_ITEMS - CREDIT_URGENT_ITEMS - 1):
        push(feed, item(Lane.HIGH, n))
    assert found(feed, item(Lane.URGENT, 0)) == [item(Lane.URGENT, 0)]
    assert feed.next_read() is None, "one of credit is left for the others, and that is too little"


def test_no_large_items_are_kept_beyond_the_credit() -> None:
    feed, large = Feed(opened=NOW, since=NOW), [item(Lane.URGENT, n, size=30_000) for n in range(20)]
    fitting = CREDIT_BYTES // 30_000
    assert found(feed, *large) == large[:fitting]
    assert feed.ahead is None
    feed.ack(feed.tag)
    issued = feed.next_read()
    assert issued is not None
    assert (issued.lane, issued.after) == (Lane.URGENT, fitting - 1), "not live: there is more to read"


def test_a_late_resume_discards_what_was_read_as_for_a_fresh_one() -> None:
    """It has to look back further: what another device acknowledged in between was not asked for."""
    feed, many = Feed(opened=NOW, since=NOW), [item(Lane.URGENT, n) for n in range(100)]
    found(feed, *many)
    feed.resume({}, NOW - timedelta(minutes=5))
    feed.ack(feed.tag)
    assert feed.more() is None
