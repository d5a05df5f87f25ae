"""What is read ahead of credit is bounded, in bytes and in time, and let go of without a trace."""

from datetime import UTC, datetime

import pytest

from clarion.contracts.lanes import Lane
from services.gateway.client.connection import Connection
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import AHEAD_BYTES, Feed
from services.gateway.delivery import prefetch
from services.gateway.delivery.prefetch import KEPT_S, Prefetch
from services.gateway.delivery.read_scheduler import ITEMS
from tests.unit.gateway.devices import Nowhere

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def behind() -> Connection:
    return Connection(Nowhere(), Feed(NOW, NOW))


def read(connection: Connection) -> None:
    """100 items of 100 bytes, of which credit takes 64."""
    issued = connection.feed.next_read(ITEMS)
    assert issued is not None
    found = [OutgoingItem(str(n), issued.lane, n, b"x" * 100) for n in range(100)]
    connection.feed.send(connection.feed.found(issued, found))
    assert issued.lane is Lane.URGENT


def test_bytes_count_from_the_claim_until_all_is_sent() -> None:
    held, connection = Prefetch(), behind()
    assert held.claim(connection)
    assert held.bytes == AHEAD_BYTES
    read(connection)
    held.settle(connection, now=0)
    assert held.bytes == 36 * 100
    connection.feed.ack(1)
    assert connection.feed.more()
    assert connection.feed.ahead is None
    held.release(connection)
    assert held.bytes == 0


def test_a_read_that_leaves_nothing_holds_nothing() -> None:
    held, connection = Prefetch(), behind()
    assert held.claim(connection)
    held.settle(connection, now=0)
    assert held.bytes == 0


def test_without_room_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "MOST_BYTES", AHEAD_BYTES + 1)
    held, first, second = Prefetch(), behind(), behind()
    assert held.claim(first)
    assert held.claim(first), "once more for the same one"
    assert not held.claim(second)
    read(second)
    held.settle(second, now=0)
    assert second.feed.ahead is None
    assert held.bytes == AHEAD_BYTES


def test_what_was_read_ahead_is_let_go_of_after_a_while() -> None:
    held, slow, reading = Prefetch(), behind(), behind()
    for connection in (slow, reading):
        assert held.claim(connection)
        read(connection)
    held.settle(slow, now=0)
    held.let_go(KEPT_S)
    assert slow.feed.ahead
    held.let_go(KEPT_S + 0.1)
    assert slow.feed.ahead is None
    assert reading.feed.ahead
    assert held.bytes == AHEAD_BYTES
