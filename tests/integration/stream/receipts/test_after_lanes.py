"""Receipts after MongoDB was restored: they wait for their notifications, and those folded before are folded again."""

import asyncio
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import receipts
from clarion.contracts.records.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications, topics
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.topics import Known
from services.stream.engine.stage_order import OwnershipLost, Ticket
from services.stream.engine.windows import RECEIPTS_POLICY, Window
from services.stream.receipts.after_lanes import AfterLanes
from services.stream.receipts.worker import ReceiptsWork
from tests.conftest import until
from tests.unit.records import batch


def nothing() -> None:
    """A check that finds that all is well."""


async def restored(settings: Settings, own: Database, reached: int, again: int) -> str:
    """A lane of which the store has `reached`, and is read again up to `again`."""
    topic = Names(settings.prefix).notifications(Lane.LOW)
    assert await topics.create(
        topics.collection(own), Known(topic, "an id", 0, 4, reached={1: reached}, again={1: again})
    )
    return topic


async def test_receipts_wait_until_their_lane_has_read_again(settings: Settings, own: Database) -> None:
    topic = await restored(settings, own, 3, 5)
    after = AfterLanes(settings, own)
    waiting = asyncio.create_task(after.wait(nothing))
    await until(lambda: topic in after.waiting())
    assert not waiting.done()
    await topics.collection(own).update_one({"_id": topic}, {"$set": {"reached.1": 5}})
    await asyncio.wait_for(waiting, 20)
    assert not after.waiting()


async def test_a_wait_ends_when_the_partitions_are_lost(settings: Settings, own: Database) -> None:
    await restored(settings, own, 3, 5)

    def lost() -> None:
        raise OwnershipLost

    with pytest.raises(OwnershipLost):
        await asyncio.wait_for(AfterLanes(settings, own).wait(lost), 20)


async def test_receipts_look_again_once_mongodb_was_away(settings: Settings, own: Database) -> None:
    topic = await restored(settings, own, 5, 5)
    after = AfterLanes(settings, own)
    await asyncio.wait_for(after.wait(nothing), 20)
    await topics.collection(own).update_one({"_id": topic}, {"$set": {"reached.1": 4}})
    await asyncio.wait_for(after.wait(nothing), 20)  # nothing has happened to the connection
    database.interruptions(own).count += 1
    waiting = asyncio.create_task(after.wait(nothing))
    await until(lambda: topic in after.waiting())
    waiting.cancel()
    await asyncio.wait([waiting], timeout=10)


@pytest.mark.parametrize(("offset", "unread"), [(6, False), (7, True)])
async def test_a_mark_folded_before_is_folded_again(
    offset: int, unread: bool, settings: Settings, own: Database
) -> None:
    """Up to where receipts are read again; a later one was folded into this store."""
    names, id_ = Names(settings.prefix), new_id()
    assert await topics.create(
        topics.collection(own), Known(names.receipts, "an id", 0, 4, reached={0: 2}, again={0: 7})
    )
    document = {"_id": id_, "recipient": "ann", "state": "pending", "unread": True, "lane": "low", "ord": 1}
    await notifications.collection(own).insert_one(document)
    receipt = Receipt("ann", Op.READ, [id_], times.now() - timedelta(seconds=1), folded=True)
    window = Window(RECEIPTS_POLICY, 0.0)
    window.add(batch([receipts.encode(receipt)], first=offset), 0.0)
    through: AIOKafkaProducer = clients.producer(settings)
    async with through:
        await asyncio.wait_for(ReceiptsWork(names, own, through, AfterLanes(settings, own))(window, Ticket()), 30)
    found = await notifications.collection(own).find_one({"_id": id_})
    assert found is not None
    assert found["unread"] is unread
