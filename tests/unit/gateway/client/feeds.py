"""Feeds as tests need them: live, pushed to, and told what a read found."""

from datetime import UTC, datetime

from clarion.contracts.lanes import Lane
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import Feed

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def item(lane: Lane, ord_: int, size: int = 100) -> OutgoingItem:
    return OutgoingItem(f"{lane}-{ord_}", lane, ord_, b"x" * size)


def live_feed() -> Feed:
    feed = Feed(opened=NOW, since=NOW)
    while issued := feed.next_read():
        feed.read(issued, [])
    return feed


def push(feed: Feed, *items: OutgoingItem) -> list[OutgoingItem]:
    pushed, _ = feed.offer(items)
    if pushed:
        feed.send(pushed)
    return pushed


def found(feed: Feed, *items: OutgoingItem) -> list[OutgoingItem]:
    """What is sent of what a read finds."""
    issued = feed.next_read(500)
    assert issued is not None
    send = feed.found(issued, [one for one in items if one.lane is issued.lane])
    feed.send(send)
    return send
