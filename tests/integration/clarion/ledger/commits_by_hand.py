"""Commits that are changed by hand: what a lane has not done counts as done, or the other way round."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from clarion.broker import group_offsets
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.partitioner import partition_of
from clarion.contracts import order
from clarion.contracts.ids import new_id
from clarion.operating.ledger.judging.states import Fault, Home
from clarion.store import notifications, topics
from tests.conftest import until
from tests.integration.clarion.ledger.world import World, commits, item, record

Named = set[tuple[Fault, str]]
Break = Callable[[World], Awaitable[Named]]


async def change(world: World, id_: str, change: dict[str, Any]) -> None:
    result = await notifications.collection(world.stored).update_one({"_id": id_}, {"$set": change})
    assert result.modified_count == 1


async def stop_lane(world: World) -> Named:
    process = world.processes["lane --lane normal"]
    process.terminate()
    await asyncio.to_thread(process.wait, 40)
    return set()


async def commit_past_what_was_not_processed(world: World) -> Named:
    """By hand, as with `kafka-consumer-groups --reset-offsets`: the store says that it has less."""
    partition, skipped = await _unread(world)
    await _commit(world, partition, (await commits(world, "normal"))[partition] + len(skipped))
    return {(Fault.SKIPPED, id_) for id_ in skipped}


async def commit_past_in_the_store_as_well(world: World) -> Named:
    partition, skipped = await _unread(world)
    end = (await commits(world, "normal"))[partition] + len(skipped)
    await _commit(world, partition, end)
    change = {"$set": {f"reached.{partition.number}": end}}
    await topics.collection(world.stored).update_one({"_id": partition.topic}, change)
    return {(Fault.NOWHERE, id_) for id_ in skipped}


async def leave_in_kafka_what_nobody_reads(world: World) -> Named:
    await _unread(world)
    return set()


async def commit_behind_what_is_stored(world: World) -> Named:
    """The only one of its partition, two minutes ago."""
    (id_,) = world.ids["alone"]
    one = await world.document(id_)
    await change(world, id_, {"stored_at": one["stored_at"] - timedelta(minutes=2)})
    number = partition_of(one["recipient"], world.settings.partitions_lane)
    await _commit(world, Partition(world.lane(), number), order.unpack(one["ord"])[1])
    return {(Fault.COMMIT_BEHIND, id_)}


async def publish_alone(world: World) -> None:
    """Publish one to a user in a partition that has no other record."""
    taken = {partition.number for partition in await commits(world, "normal")}
    users = (f"alone-{n}-{new_id()}" for n in range(1_000))
    one = item(next(user for user in users if partition_of(user, world.settings.partitions_lane) not in taken))
    world.touched.add(Partition(world.lane(), partition_of(one.recipient, world.settings.partitions_lane)))
    await world.send(record(world.lane(), one))
    world.note("alone", Home.PENDING, one)


async def _unread(world: World) -> tuple[Partition, list[str]]:
    """Publish three to a user, in a partition of which all else is committed, while the lane is stopped."""
    told = await commits(world, "normal")
    ends = await group_offsets.ends(world.settings, list(told))
    free = {one.number for one in told if told[one] == ends[one] and one not in world.touched}
    names = (f"unread-{n}-{new_id()}" for n in range(1_000))
    user = next(name for name in names if partition_of(name, world.settings.partitions_lane) in free)
    partition = Partition(world.lane(), partition_of(user, world.settings.partitions_lane))
    world.touched.add(partition)
    found = [item(user, message=str(n)) for n in range(3)]
    await world.send(*(record(world.lane(), one) for one in found))
    world.expected[Home.IN_KAFKA] += len(found)
    return partition, [str(one.id) for one in found]


async def _commit(world: World, partition: Partition, offset: int) -> None:
    group = world.names.group("normal")
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=world.settings.kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(*partition)
        consumer.assign([place])
        await consumer.commit({place: OffsetAndMetadata(offset, "g0")})
    finally:
        await consumer.stop()

    async def is_committed() -> bool:
        return (await commits(world, "normal"))[partition] == offset

    await until(is_committed)


BROKEN_COMMITS: tuple[Break, ...] = (
    leave_in_kafka_what_nobody_reads,
    commit_past_what_was_not_processed,
    commit_past_in_the_store_as_well,
    commit_behind_what_is_stored,
)
