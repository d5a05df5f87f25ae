"""Who is behind in the urgent lane is read for first, and replay leaves room for what is live."""

from datetime import UTC, datetime

import pytest

from services.gateway.client.connection import Connection
from services.gateway.client.feed import Feed
from services.gateway.delivery.read_scheduler import ITEMS, LIVE_ITEMS, LIVE_S, ReadScheduler
from tests.unit.gateway.devices import Nowhere

NOW = datetime(2026, 11, 26, tzinfo=UTC)
PER_S = 1_000


def behind() -> Connection:
    return Connection(Nowhere(), Feed(NOW, NOW))


def test_clients_behind_in_urgent_are_read_for_first() -> None:
    reads, connections = ReadScheduler(PER_S), [behind() for _ in range(4)]
    for place, connection in enumerate(connections):
        reads.put(connection, is_urgent=place % 2 == 1)
    assert [connections.index(reads.take()) for _ in connections] == [1, 3, 0, 2]
    with pytest.raises(IndexError):
        reads.take()


def test_without_live_deliveries_nobody_rests() -> None:
    reads = ReadScheduler(PER_S)
    assert reads.rest_s(500, now=10) == 0
    reads.delivered(10)
    assert reads.rest_s(500, now=10 + LIVE_S) == 0


def test_beside_live_deliveries_readers_take_turns_at_the_rate() -> None:
    reads = ReadScheduler(PER_S)
    reads.delivered(10)
    assert reads.rest_s(200, now=10) == pytest.approx(0.2)
    assert reads.rest_s(100, now=10) == pytest.approx(0.3)
    assert reads.rest_s(100, now=10.25) == pytest.approx(0.15)
    assert reads.rest_s(0, now=10.25) == pytest.approx(0.15)


def test_beside_live_deliveries_little_is_read_at_a_time() -> None:
    reads = ReadScheduler(PER_S)
    assert reads.most(now=10) == ITEMS
    reads.delivered(10)
    assert reads.most(now=10) == LIVE_ITEMS < ITEMS
    assert reads.most(now=10 + LIVE_S) == ITEMS


def test_a_pause_is_not_made_up_for() -> None:
    reads = ReadScheduler(PER_S)
    reads.delivered(10)
    reads.rest_s(100, now=10)
    assert reads.rest_s(100, now=10.9) == pytest.approx(0.1)
