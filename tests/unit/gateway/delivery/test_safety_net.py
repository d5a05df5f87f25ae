"""Whom the safety net leaves alone: from whom an acknowledgement, or to whom an item, may still be on its way."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import REGISTRY

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.group_offsets import Commit
from clarion.broker.partitioner import partition_of
from clarion.contracts import order
from clarion.contracts.lanes import LANES, Lane
from clarion.settings import Settings
from clarion.store.queries.undelivered import Undelivered
from clarion.store.topics import Placing
from clarion.telemetry import metrics
from services.gateway.client.connection import Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import Feed
from services.gateway.delivery.safety_net import SafetyNet, _is_below, _is_quiet
from tests.unit.gateway.devices import Nowhere

NOW = datetime(2026, 11, 25, tzinfo=UTC)
SETTINGS = Settings(env="dev", partitions_lane=4, generation=2)


async def test_a_look_that_fails_is_counted_as_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: Iterator[BaseException | None] = iter([None, TimeoutError(), ValueError(), None, asyncio.CancelledError()])

    async def look(_: SafetyNet, __: datetime) -> None:
        if error := next(ends):
            raise error

    def count(how: str) -> float:
        metrics.GATEWAY.export()
        return REGISTRY.get_sample_value("clarion_safety_net_looks_total", {"how": how}) or 0.0

    monkeypatch.setattr(SafetyNet, "look", look)
    before, nothing = (count("done"), count("missed")), cast(Any, None)
    net = SafetyNet(msgspec.structs.replace(SETTINGS, safety_net_s=0.001), *[nothing] * 5)
    with pytest.raises(asyncio.CancelledError):
        await net.run()
    assert (count("done"), count("missed")) == (before[0] + 2, before[1] + 2)


def quiet() -> Connection:
    connection = Connection(Nowhere(), Feed(NOW, NOW), state=ConnectionState.PRESENT)
    for _ in LANES:
        read = connection.feed.next_read()
        assert read is not None
        connection.feed.read(read, [])
    return connection


def test_who_is_live_and_has_acknowledged_all_is_quiet() -> None:
    connection = quiet()
    assert _is_quiet([connection])
    tag = connection.feed.send([OutgoingItem("a", Lane.LOW, 1, b"{}")])
    assert not _is_quiet([quiet(), connection])
    connection.feed.ack(tag)
    assert _is_quiet([quiet(), connection])


@pytest.mark.parametrize("why", ["not live", "not present", "closing", "paused"])
def test_who_is_behind_absent_or_paused_is_not_quiet(why: str) -> None:
    connection = quiet()
    match why:
        case "not live":
            connection.feed.fall_behind()
        case "not present":
            connection.state = ConnectionState.GREETED
        case "closing":
            connection.state = ConnectionState.CLOSING
        case _:
            connection.feed.paused = True
    assert not _is_quiet([connection])


def test_only_what_its_lane_has_committed_was_emitted() -> None:
    one = Undelivered("a", "ann", Lane.HIGH, order.pack(2, 7), b"{}")
    its = Partition("notifications.high", partition_of("ann", 4))
    assert _is_below(one, {its: Commit(8)}, {}, SETTINGS)
    assert not _is_below(one, {its: Commit(7)}, {}, SETTINGS)
    assert not _is_below(one, {Partition("notifications.low", its.number): Commit(8)}, {}, SETTINGS)
    assert not _is_below(one, {}, {}, SETTINGS)
    assert _is_below(replace(one, ord=order.pack(1, 7)), {}, {}, SETTINGS), "of a topic before the present one"
    anew = {"notifications.high": Placing(3, 4)}
    assert _is_below(one, {its: Commit(1)}, anew, SETTINGS), "the store knows that the topic was made anew"


def test_commits_of_before_a_growth_count_by_their_generation() -> None:
    one = Undelivered("a", "ann", Lane.HIGH, order.pack(2, 7), b"{}")
    grown = {"notifications.high": Placing(3, 8)}
    its = Partition("notifications.high", partition_of("ann", 8))
    assert not _is_below(one, {its: Commit(7, 2)}, grown, SETTINGS), "stored by a worker of before, and not emitted"
    assert _is_below(one, {its: Commit(8, 2)}, grown, SETTINGS)
    assert _is_below(one, {its: Commit(1, 3)}, grown, SETTINGS)
