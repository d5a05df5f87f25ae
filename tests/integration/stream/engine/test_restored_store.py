"""What a worker may store once its connection to MongoDB broke: nothing, unless the store has what it had."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from clarion.broker import clients
from clarion.broker.consuming.commit_tracker import Partition
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import topics
from clarion.store.driver import database
from clarion.store.driver.database import Database
from services.stream.engine.checkpoints import Checkpoints, Outdated
from services.stream.engine.stage_order import OwnershipLost


@asynccontextmanager
async def begun(settings: Settings, own: Database) -> AsyncGenerator[tuple[Checkpoints, str]]:
    """Checkpoints of a worker that has stored 5 records, and their topic."""
    names = Names(settings.prefix)
    topic = names.notifications(Lane.NORMAL)
    async with clients.producer(settings) as producer:
        client: Any = producer.client
        checkpoints = Checkpoints(settings, own, topic, names.group("normal"), client, ordered=True)
        await checkpoints.settle()
        assert await checkpoints.resume({Partition(topic, 0): 0}) == {}
        assert await checkpoints.note({Partition(topic, 0): 5})
        yield checkpoints, topic


async def go_back(own: Database, topic: str) -> None:
    await topics.collection(own).update_one({"_id": topic}, {"$set": {"reached.0": 2}})


async def test_nothing_is_stored_in_a_restored_store(settings: Settings, own: Database) -> None:
    async with begun(settings, own) as (checkpoints, topic):
        await checkpoints.confirm()
        await go_back(own, topic)
        database.interruptions(own).count += 1
        with pytest.raises(OwnershipLost, match="restored"):
            await checkpoints.confirm()
        with pytest.raises(Outdated, match="restored from a backup"):
            await checkpoints.watch()


async def test_a_store_that_was_merely_away_is_confirmed(settings: Settings, own: Database) -> None:
    async with begun(settings, own) as (checkpoints, _):
        database.interruptions(own).count += 1
        await checkpoints.confirm()


async def test_an_emptied_store_is_not_confirmed(settings: Settings, own: Database) -> None:
    async with begun(settings, own) as (checkpoints, topic):
        await topics.collection(own).delete_one({"_id": topic})
        database.interruptions(own).count += 1
        with pytest.raises(OwnershipLost, match="restored"):
            await checkpoints.confirm()


async def test_a_partition_read_again_says_up_to_where(settings: Settings, own: Database) -> None:
    async with begun(settings, own) as (checkpoints, topic):
        async with clients.producer(settings) as producer:
            for _ in range(7):
                await producer.send_and_wait(topic, b"{", partition=0)
        await go_back(own, topic)
        assert await checkpoints.resume({Partition(topic, 0): 5}) == {Partition(topic, 0): 2}
        known = await topics.find(topics.collection(own), topic)
        assert known is not None
        assert known.again == {0: 7}
        assert known.is_read_again()
