"""The audit of a Clarion under load, with every kind of record and end in it: nothing is found, and all is counted."""

import asyncio
from datetime import timedelta

import pytest

from clarion.contracts import times
from clarion.operating.ledger import lookup
from clarion.operating.ledger.judging.states import Home
from tests.integration.clarion.ledger.world import (
    World,
    all_is_done,
    audit,
    item,
    publish,
    publish_strange_batches,
    record,
)

ROUNDS = 4

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


async def test_nothing_is_found_under_load_and_everything_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each id is looked up among 40 others, and there are some hundred."""
    monkeypatch.setattr(lookup, "AT_ONCE", 40)
    loading = asyncio.create_task(_load(world))
    audits = 0
    while not loading.done():
        found = await audit(world)
        assert found.findings == []
        assert found.report.is_clean
        audits += 1
    await loading
    assert audits > 2
    await all_is_done(world)
    found = await audit(world)
    assert found.findings == []
    assert found.report.balance.missing == 0
    assert found.report.balance.accepted == world.expected.total() + len(world.ids["flood"])
    assert found.report.ids > 5 * 40
    assert 0 < found.homes[Home.THROTTLED] < len(world.ids["flood"])


async def _load(world: World) -> None:
    await publish_strange_batches(world)
    for number in range(ROUNDS):
        await publish(world, number)


async def test_a_span_has_what_came_within_it(world: World) -> None:
    await asyncio.sleep(0.01)
    first = times.now()
    mine = [item("span", message=str(n)) for n in range(3)]
    await world.send(*(record(world.lane(), one) for one in mine))
    await asyncio.sleep(0.01)
    last = times.now()
    await world.send(record(world.lane(), item("span", message="after")))
    world.expected[Home.PENDING] += 4
    await all_is_done(world)
    found = await audit(world, first, last)
    assert found.findings == []
    assert (found.homes, found.report.ids) == ({Home.PENDING: 3}, 3)
    assert (await audit(world, last + timedelta(hours=1))).report.balance.accepted == 0
    assert (await audit(world, None, first - timedelta(days=1))).report.balance.accepted == 0
