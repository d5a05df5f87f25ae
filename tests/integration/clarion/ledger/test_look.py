"""The look behind `clarion_unaccounted`, on the running system: what it sees, and what it remembers."""

import asyncio
from datetime import timedelta
from random import Random

import pytest

from clarion.contracts.ids import new_id
from clarion.operating.ledger import look as looking
from clarion.operating.ledger.look import Looked, look
from clarion.store import ledger, notifications, scheduled
from clarion.store.driver.database import Document
from tests.integration.clarion.ledger.world import (
    World,
    all_is_committed,
    all_is_done,
    item,
    publish,
    publish_strange_batches,
    record,
)

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


async def look_now(world: World) -> Looked:
    """As an observer whose turn it is."""
    remembered = ledger.collection(world.stored)
    await remembered.update_one({"_id": "look"}, [{"$set": {"looked_at": {"$subtract": ["$looked_at", 60_000]}}}])
    return await look(world.settings, world.stored, Random(1))


async def test_a_look_finds_what_is_lost_and_says_so_until_it_is_found(world: World) -> None:
    assert await look_now(world) == Looked(0, 0, 0)  # nothing was committed since it is remembered
    await publish_strange_batches(world)
    for number in range(2):
        await publish(world, number)
    await all_is_done(world)
    found = await look_now(world)
    assert found.passed > 100
    assert 0 <= found.passed - found.read <= 3  # two marks of transactions, and what was aborted
    assert (await look_now(world)).unaccounted == 0
    mine = [item(f"look-{n}-{new_id()}") for n in range(5)]
    await world.send(*(record(world.lane(), one) for one in mine))
    await _are_stored(world, [str(one.id) for one in mine])
    lost = await _take(world, str(mine[0].id))
    await all_is_committed(world)
    assert (await look_now(world)).unaccounted == 0  # seen once
    assert (await look_now(world)).unaccounted == 1
    again = await look(world.settings, world.stored, Random(1))  # another observer, just now
    assert again == Looked(1, 0, 0)
    await notifications.collection(world.stored).insert_one(lost)
    assert (await look_now(world)).unaccounted == 0


async def test_a_look_finds_a_scheduled_one_that_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "RECORDS", 100_000)
    id_ = world.ids["later"][0]
    held = await scheduled.collection(world.stored).find_one_and_delete({"_id": id_})
    assert held is not None
    await look_now(world)  # earlier records are looked at as well, all of them if they are few
    assert (await look_now(world)).unaccounted == 1
    await scheduled.collection(world.stored).insert_one(held)
    assert (await look_now(world)).unaccounted == 0


async def test_a_look_reads_a_bounded_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await look_now(world)
    monkeypatch.setattr(looking, "RECORDS", 50)
    users = [f"part-{n}-{new_id()}" for n in range(300)]
    mine = [item(user) for user in users]
    await world.send(*(record(world.lane(), one) for one in mine))
    await _are_stored(world, [str(one.id) for one in mine])
    await all_is_committed(world)
    found = await look_now(world)
    assert found.passed == 300
    assert 0 < found.read < 100


async def _are_stored(world: World, ids: list[str]) -> None:
    documents = notifications.collection(world.stored)
    async with asyncio.timeout(30):
        while await documents.count_documents({"_id": {"$in": ids}}) < len(ids):
            await asyncio.sleep(0.05)


async def _take(world: World, id_: str) -> Document:
    found = await notifications.collection(world.stored).find_one_and_delete({"_id": id_})
    assert found is not None
    return found


def test_a_look_is_due_every_thirty_seconds() -> None:
    assert timedelta(seconds=30) == looking.EVERY
