"""Data that is broken by hand, in one way after the other: the audit names each, and nothing else."""

import asyncio
from datetime import timedelta

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from clarion.broker import group_offsets
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.partitioner import partition_of
from clarion.contracts import order, times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.operating.ledger.judging import rows
from clarion.operating.ledger.judging.states import Fault, Home
from clarion.store import notifications, scheduled
from tests.integration.clarion.ledger import commits_by_hand
from tests.integration.clarion.ledger.commits_by_hand import Break, Named, change
from tests.integration.clarion.ledger.world import (
    Audited,
    World,
    all_is_done,
    audit,
    publish,
    publish_strange_batches,
)
from tests.observing import reading

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


async def test_each_thing_that_is_broken_is_named_and_nothing_else(world: World) -> None:
    await publish_strange_batches(world)
    for number in range(3):
        await publish(world, number)
    await all_is_done(world)
    await commits_by_hand.publish_alone(world)
    await all_is_done(world)
    assert (await audit(world)).named == set()
    broken: Named = set()
    for breaking in (*BROKEN_DATA, commits_by_hand.stop_lane, *commits_by_hand.BROKEN_COMMITS):
        broken |= await breaking(world)
        found = await audit(world)
        assert found.named == broken, breaking.__name__
        assert_balanced(world, found)


def assert_balanced(world: World, found: Audited) -> None:
    """What was accepted does not change by what is broken; each of it is in a state, or named as missing."""
    assert found.report.balance.accepted == world.expected.total() + len(world.ids["flood"])


# ---- what is stored, held and dead


async def delete_a_stored_one(world: World) -> Named:
    id_ = world.ids["plain"].pop()
    await notifications.collection(world.stored).delete_one({"_id": id_})
    return {(Fault.NOWHERE, id_)}


async def contradict_a_state(world: World) -> Named:
    id_ = world.ids["plain"].pop()
    await change(world, id_, {"state": "delivered"})
    return {(Fault.CONTRADICTION, id_)}


async def give_a_state_that_does_not_exist(world: World) -> Named:
    id_ = world.ids["plain"].pop()
    await change(world, id_, {"state": "lost"})
    return {(Fault.NO_STATE, id_)}


async def store_for_another_recipient(world: World) -> Named:
    id_ = world.ids["plain"].pop()
    await change(world, id_, {"recipient": "eve"})
    return {(Fault.OTHER_RECIPIENT, id_)}


async def store_other_content(world: World) -> Named:
    id_ = world.ids["plain"].pop()
    body = (await world.document(id_))["body"]
    await change(world, id_, {"body": body.replace(b'"message":"', b'"message":"not ')})
    return {(Fault.OTHER_CONTENT, id_)}


async def leave_only_a_stub(world: World) -> Named:
    id_ = world.ids["plain"].pop()
    purge_at = (await world.document(id_))["purge_at"]
    stub = {"stub": True, "state": "retracted", "retracted_by": ["x"], "noted_at": times.now(), "purge_at": purge_at}
    await notifications.collection(world.stored).replace_one({"_id": id_}, stub)
    return {(Fault.ONLY_A_STUB, id_)}


async def store_what_nobody_published(world: World) -> Named:
    document, id_ = await world.document(world.ids["plain"][0]), new_id()
    await notifications.collection(world.stored).insert_one(document | {"_id": id_})
    return {(Fault.NEVER_ACCEPTED, id_)}


async def lose_a_scheduled_one(world: World) -> Named:
    id_ = world.ids["later"].pop()
    await scheduled.collection(world.stored).delete_one({"_id": id_})
    return {(Fault.NOWHERE, id_)}


async def hold_what_nobody_published(world: World) -> Named:
    held, id_ = scheduled.collection(world.stored), new_id()
    document = await held.find_one({"_id": world.ids["early"][0]})
    assert document is not None
    await held.insert_one(document | {"_id": id_})
    return {(Fault.NEVER_ACCEPTED, id_)}


async def count_as_released_what_is_in_no_lane(world: World) -> Named:
    id_, now = world.ids["early"].pop(), times.now()
    change = {"state": "released", "released_at": now, "purge_at": now + scheduled.KEEP}
    await scheduled.collection(world.stored).update_one(
        {"_id": id_}, {"$set": change, "$unset": {"value": "", "headers": ""}}
    )
    return {(Fault.NOT_RELEASED, id_)}


async def store_what_waits(world: World) -> Named:
    """A duplicate in two collections."""
    id_ = world.ids["later"].pop()
    document = await world.document(world.ids["plain"][0])
    await notifications.collection(world.stored).insert_one(document | {"_id": id_})
    return {(Fault.TWO_PLACES, id_)}


async def hold_what_is_stored(world: World) -> Named:
    id_, held = world.ids["plain"].pop(), scheduled.collection(world.stored)
    document = await held.find_one({"_id": world.ids["early"][0]})
    assert document is not None
    await held.insert_one(document | {"_id": id_})
    return {(Fault.TWO_PLACES, id_)}


async def take_back_only_where_it_is_held(world: World) -> Named:
    id_, at = world.ids["soon"].pop(), times.now() - timedelta(minutes=2)
    change = {"state": "retracted", "retracted_at": at}
    await scheduled.collection(world.stored).update_one({"_id": id_}, {"$set": change})
    return {(Fault.HALF_RETRACTED, id_)}


async def remove_a_dead_letter(world: World) -> Named:
    """The first one of its partition: Kafka removes nothing else."""
    lanes = {world.lane(), world.lane(Lane.URGENT), world.names.scheduled}
    async with reading(world.settings, world.names.dead_letters) as consumer, asyncio.timeout(20):
        first = await consumer.getone()
    letter = rows.letter_of(first)
    assert letter is not None
    assert letter.topic in lanes
    async with group_offsets.asking(world.settings) as admin:
        place = TopicPartition(first.topic, first.partition)
        await admin.delete_records({place: RecordsToDelete(before_offset=first.offset + 1)})
    assert first.value is not None
    if dict(first.headers)["reason"] == Reason.ID_CONFLICT.encode():
        return {(Fault.OTHER_CONTENT, next(id_ for id_ in world.ids["first of two"] if id_.encode() in first.value))}
    return {(Fault.NO_DEAD_LETTER, f"{letter.topic}/{letter.partition}/{letter.offset}")}


async def write_a_dead_letter_of_what_is_stored(world: World) -> Named:
    id_ = world.ids["plain"].pop()
    document = await world.document(id_)
    number = partition_of(document["recipient"], world.settings.partitions_lane)
    await _write_letter(world, Partition(world.lane(Lane(document["lane"])), number), order.unpack(document["ord"])[1])
    world.expected[Home.PENDING] -= 1
    world.expected[Home.DEAD] += 1
    return {(Fault.DEAD_AND_STORED, id_)}


async def write_a_dead_letter_of_no_record(world: World) -> Named:
    """Of a record that its producer took back: no consumer ever gets it, so no lane makes a dead letter of it."""
    (partition,) = world.aborted
    async with reading(world.settings, partition.topic) as consumer, asyncio.timeout(20):
        place = TopicPartition(*partition)
        offset = -1
        while offset < 0:
            one = await consumer.getone()
            if isinstance(one, Unreadable):
                continue
            if TopicPartition(one.topic, one.partition) == place and b'"aborted"' in (one.value or b""):
                offset = one.offset
    await _write_letter(world, partition, offset)
    return {(Fault.LETTER_WITHOUT_RECORD, f"{partition.topic}/{partition.number}/{offset}")}


async def _write_letter(world: World, partition: Partition, offset: int) -> None:
    now = times.now()
    letter = DeadLetter(b"{", None, Reason.INVALID, "by hand", *partition, offset, 1, now, now)
    await world.send({"topic": world.names.dead_letters, "value": letter.payload(), "headers": letter.headers()})


BROKEN_DATA: tuple[Break, ...] = (
    delete_a_stored_one,
    contradict_a_state,
    give_a_state_that_does_not_exist,
    store_for_another_recipient,
    store_other_content,
    leave_only_a_stub,
    store_what_nobody_published,
    lose_a_scheduled_one,
    hold_what_nobody_published,
    count_as_released_what_is_in_no_lane,
    store_what_waits,
    hold_what_is_stored,
    take_back_only_where_it_is_held,
    remove_a_dead_letter,
    write_a_dead_letter_of_what_is_stored,
    write_a_dead_letter_of_no_record,
)
