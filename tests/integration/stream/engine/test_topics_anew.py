"""Topics that were made anew, and stores that were restored or emptied, beside the other one that was kept."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psutil
import pytest
from aiokafka import AIOKafkaProducer

from clarion.broker import clients, topics
from clarion.contracts import order
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database, Document
from clarion.store.topics import collection as known_topics
from tests.conftest import until
from tests.subprocesses import child, env_of

pytestmark = pytest.mark.slow

LANE = Lane.NORMAL
ENDS_WITHIN_S = 30.0
_messages = (f"message {number}" for number in itertools.count())


@asynccontextmanager
async def lane(settings: Settings) -> AsyncGenerator[psutil.Process]:
    env = env_of(settings) | {"CLARION_ADMIN_PORT": "0"}
    async with child(("-m", "clarion.cli", "stream", "--role", "lane", "--lane", LANE), env) as process:
        yield process


async def publish(settings: Settings, count: int) -> list[str]:
    """Records of a direct producer, without ids, all in one partition."""
    topic, messages = Names(settings.prefix).notifications(LANE), list(itertools.islice(_messages, count))
    through: AIOKafkaProducer = clients.producer(settings)
    async with through:
        for message in messages:
            value = json.dumps({"type": "t", "message": message, "recipient": "ann", "sender": "s"}).encode()
            await through.send_and_wait(topic, value, key=b"ann")
    return messages


async def stored(own: Database) -> dict[str, Document]:
    found = notifications.collection(own).find({})
    return {json.loads(document["body"])["message"]: document async for document in found}


async def all_stored(own: Database, messages: list[str]) -> None:
    async def are() -> bool:
        return set(messages) <= set(await stored(own))

    await until(are)


async def read(settings: Settings, own: Database, messages: list[str]) -> None:
    """By a lane that starts now and stops in order."""
    async with lane(settings) as process:
        await all_stored(own, messages)
        await asyncio.sleep(0.5)  # so that what is stored is committed, too
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


async def make_anew(settings: Settings) -> None:
    admin, name = clients.admin(settings), Names(settings.prefix).notifications(LANE)
    await admin.start()
    try:
        await admin.delete_topics([name])
        await asyncio.sleep(0.5)
    finally:
        await admin.close()

    async def is_made() -> bool:
        return name in await topics.apply(settings)

    await until(is_made)


async def has_failed(process: psutil.Process) -> bool:
    """Within the time that is promised; psutil knows no code of a process that asyncio was told of first."""
    return await asyncio.to_thread(process.wait, ENDS_WITHIN_S) in (1, None)


async def test_a_topic_made_anew_orders_above_all_cursors(settings: Settings, own: Database) -> None:
    before = await publish(settings, 3)
    await read(settings, own, before)
    await make_anew(settings)
    after = await publish(settings, 2)
    await read(settings, own, after)
    found = await stored(own)
    assert {order.unpack(found[message]["ord"])[0] for message in before} == {0}
    assert {order.unpack(found[message]["ord"])[0] for message in after} == {1}
    assert len(found) == len(before) + len(after)
    known = await known_topics(own).find_one({"_id": Names(settings.prefix).notifications(LANE)})
    assert known is not None
    assert (known["generation"], len(known["past"])) == (1, 1)


async def test_a_topic_made_anew_makes_its_worker_start_anew(settings: Settings, own: Database) -> None:
    async with lane(settings) as process:
        await all_stored(own, await publish(settings, 3))
        await make_anew(settings)
        after = await publish(settings, 5)
        assert await has_failed(process)
    await read(settings, own, after)
    assert len(await stored(own)) == 8


async def backup(own: Database) -> dict[str, list[Document]]:
    return {name: [d async for d in own[name].find({})] for name in await own.list_collection_names()}


async def restore(own: Database, saved: dict[str, list[Document]]) -> None:
    for name in await own.list_collection_names():
        await own[name].delete_many({})
        if documents := saved.get(name):
            await own[name].insert_many(documents)


async def test_what_a_restored_store_lacks_is_read_again(settings: Settings, own: Database) -> None:
    kept = await publish(settings, 3)
    await read(settings, own, kept)
    saved = await backup(own)
    lost = await publish(settings, 4)
    await read(settings, own, lost)
    first = await stored(own)
    await restore(own, saved)
    assert set(await stored(own)) == set(kept)
    await read(settings, own, lost)
    again = await stored(own)
    assert {m: (d["_id"], d["ord"]) for m, d in again.items()} == {m: (d["_id"], d["ord"]) for m, d in first.items()}


async def test_what_an_emptied_store_lacks_is_read_again(settings: Settings, own: Database) -> None:
    messages = await publish(settings, 4)
    await read(settings, own, messages)
    await restore(own, {})
    await read(settings, own, messages)


async def test_a_restored_store_makes_its_worker_read_again(settings: Settings, own: Database) -> None:
    async with lane(settings) as process:
        kept = await publish(settings, 3)
        await all_stored(own, kept)
        await asyncio.sleep(0.5)
        saved = await backup(own)
        lost = await publish(settings, 4)
        await all_stored(own, lost)
        await asyncio.sleep(0.5)
        await restore(own, saved)
        assert await has_failed(process), "nothing more comes, and it is noticed all the same"
    await read(settings, own, lost)
    assert set(await stored(own)) == {*kept, *lost}
