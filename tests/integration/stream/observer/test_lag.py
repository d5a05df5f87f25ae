"""The lag of a lane by Kafka's word: with no worker, after a rebalance, with two observers, with markers in the log."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete
from confluent_kafka import Producer

from clarion.broker import clients, topics
from clarion.broker.lag.group_lags import GroupLags
from clarion.broker.lag.unread import Lag
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from services.stream.observer.lag import topics_of
from tests.conftest import until
from tests.integration.stream.engine.lane_processes import lane_process, notifications_of, produce
from tests.integration.stream.observer.watched import WITHIN_S, observing

NOTHING = Lag(0, 0.0)


@pytest.fixture
async def lags(settings: Settings) -> AsyncGenerator[GroupLags]:
    asking = GroupLags(settings)
    yield asking
    await asking.close()


async def lag(lags: GroupLags, lane: str = "normal") -> Lag:
    names = Names(lags.settings.prefix)
    return (await lags.ask({names.group(lane): topics_of(names)[lane]}, time.time()))[names.group(lane)]


async def commit(settings: Settings, offsets: dict[int, int]) -> None:
    """Commit for the normal lane's group, as its worker would."""
    names = Names(settings.prefix)
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=names.group("normal"),
        enable_auto_commit=False,  # else it may commit the end when it stops, where it would have begun
    )
    await consumer.start()
    topic = names.notifications(Lane.NORMAL)
    consumer.assign([TopicPartition(topic, number) for number in offsets])
    await consumer.commit({TopicPartition(topic, number): offset for number, offset in offsets.items()})
    await consumer.stop()


async def sends(settings: Settings, partition: int, count: int) -> None:
    topic = Names(settings.prefix).notifications(Lane.NORMAL)
    await asyncio.to_thread(produce, settings, topic, partition, notifications_of(map(str, range(count))))


async def test_without_a_worker_all_is_lag_and_grows_old(settings: Settings, lags: GroupLags) -> None:
    assert await lag(lags) == NOTHING
    await sends(settings, 0, 3)
    await sends(settings, 1, 4)
    found = await lag(lags)
    assert found.records == 7
    assert found.seconds is not None
    assert found.seconds < 10
    await asyncio.sleep(1.1)
    later = await lag(lags)
    assert later.seconds is not None
    assert 1.0 < later.seconds - found.seconds < 10


async def test_a_lag_begins_at_the_first_record_without_commit(settings: Settings, lags: GroupLags) -> None:
    await sends(settings, 0, 3)
    await asyncio.sleep(1.5)
    await sends(settings, 0, 2)
    await sends(settings, 1, 1)
    await commit(settings, {0: 3})
    found = await lag(lags)
    assert found.records == 3
    assert found.seconds is not None
    assert found.seconds < 1.5, "the older records are done"
    await commit(settings, {0: 5, 1: 1})
    assert await lag(lags) == NOTHING


async def test_a_commit_beyond_the_end_is_no_lag_below_zero(settings: Settings, lags: GroupLags) -> None:
    await sends(settings, 0, 2)
    await commit(settings, {0: 500})
    assert (await lag(lags)).records == 2


async def test_what_was_deleted_is_not_waited_for(settings: Settings, lags: GroupLags) -> None:
    await sends(settings, 0, 5)
    async with AsyncExitStack() as closing:
        admin = clients.admin(settings)
        closing.push_async_callback(admin.close)
        await clients.start(admin)
        topic = Names(settings.prefix).notifications(Lane.NORMAL)
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=3)})
    assert (await lag(lags)).records == 2


async def test_markers_of_transactions_are_no_lag_in_front(settings: Settings, lags: GroupLags) -> None:
    topic = Names(settings.prefix).notifications(Lane.NORMAL)

    def transaction(values: list[bytes], *, ends: bool = True) -> Producer:
        producer = Producer({"bootstrap.servers": settings.kafka, "transactional.id": new_id()})
        producer.init_transactions(30)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, partition=0)
        assert producer.flush(30) == 0
        if ends:
            producer.commit_transaction(30)
        return producer

    await asyncio.to_thread(transaction, notifications_of(["one"]))
    await commit(settings, {0: 1})  # before the marker, where a worker's commit may end
    assert await lag(lags) == NOTHING
    left_open = await asyncio.to_thread(transaction, notifications_of(["two"]), ends=False)
    found = await lag(lags)
    assert found.records == 1, "what an open transaction holds up is waiting"
    assert found.seconds is not None
    await asyncio.to_thread(left_open.abort_transaction, 30)


async def test_large_batches_of_many_partitions_are_read_within_bounds(settings: Settings, lags: GroupLags) -> None:
    topic, number = Names(settings.prefix).notifications(Lane.NORMAL), settings.partitions_lane
    for partition in range(number):
        values = [b"x" * 30_000 for _ in range(7)]
        await asyncio.to_thread(produce, settings, topic, partition, values)
    found = await lag(lags)
    assert found.records == 7 * number
    assert found.seconds is not None


async def test_a_missing_topic_leaves_the_others_known(settings: Settings, lags: GroupLags) -> None:
    names = Names(settings.prefix)
    found = await lags.ask({"a": names.notifications(Lane.LOW), "b": f"{settings.prefix}nowhere"}, time.time())
    assert found == {"a": NOTHING}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_two_observers_say_the_same_before_and_after_rebalances(settings: Settings) -> None:
    await topics.apply(settings)
    await sends(settings, 0, 40)
    await sends(settings, 1, 2)
    async with observing(settings) as one, observing(settings) as other:
        for observer in (one, other):
            await observer.tells("clarion_lag_records", {"normal": 42, "urgent": 0, "receipts": 0, "scheduler": 0})
        async with lane_process(settings):
            for observer in (one, other):
                await observer.tells("clarion_lag_records", {"normal": 0})
                await observer.tells("clarion_lag_seconds", {"normal": 0})
            async with lane_process(settings):
                await asyncio.sleep(5)
                for _ in range(10):
                    assert (await one.values("clarion_lag_records"))["normal"] == 0
                    await asyncio.sleep(0.2)
        await sends(settings, 2, 5)
        for observer in (one, other):
            await observer.tells("clarion_lag_records", {"normal": 5})

        async def grows_old() -> bool:
            return (await one.values("clarion_lag_seconds"))["normal"] > 5

        await until(grows_old, WITHIN_S)
