"""A connection's credit: what it lets through, and when it comes back."""

import pytest

from clarion.contracts.lanes import Lane
from clarion.contracts.limits import (
    CREDIT_ITEMS,
    CREDIT_URGENT_ITEMS,
)
from services.gateway.client.credit import OutgoingItem, ProtocolViolation
from tests.unit.gateway.client.feeds import item, live_feed, push


def test_bulk_without_credit_leaves_urgent_live() -> None:
    feed = live_feed()
    for n in range(CREDIT_ITEMS):
        push(feed, item(Lane.LOW, n))
    assert feed.in_flight()[0] == CREDIT_ITEMS - CREDIT_URGENT_ITEMS
    urgent = [push(feed, item(Lane.URGENT, n)) for n in range(CREDIT_URGENT_ITEMS + 1)]
    assert [len(pushed) for pushed in urgent] == [1] * CREDIT_URGENT_ITEMS + [0]


def test_large_bodies_are_dropped_once_sent_but_count_till_acked() -> None:
    """A client that stalls costs what its socket's buffers hold, not its credit in bytes too."""
    feed, large = live_feed(), item(Lane.HIGH, 1, size=5_000)
    assert push(feed, large) == [large]
    assert feed.in_flight() == (1, 5_000)
    assert feed.ack(1) == [OutgoingItem(large.id, large.lane, large.ord, b"")]
    assert feed.in_flight() == (0, 0)


def test_an_ack_of_what_was_never_sent_is_a_violation() -> None:
    feed = live_feed()
    push(feed, item(Lane.HIGH, 1))
    push(feed, item(Lane.HIGH, 2))
    assert [one.ord for one in feed.ack(2)] == [1, 2]
    assert feed.ack(1) == []
    with pytest.raises(ProtocolViolation):
        feed.ack(3)
