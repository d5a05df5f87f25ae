"""Whole batches: every record once, each with its key's partition, what has one key in order."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from clarion.broker import clients
from clarion.broker.keyed_producer import send_keyed
from clarion.broker.partitioner import partition_of
from clarion.contracts.topics import Names
from clarion.cooperative import TimeSlice
from clarion.settings import Settings


@pytest.mark.parametrize("size", [10, 2_000])  # the larger ones fill several batches a partition
async def test_records_arrive_once_in_order_where_their_key_belongs(settings: Settings, size: int) -> None:
    topic, users, each = Names(settings.prefix).receipts, [f"user-{n}" for n in range(40)], 50
    sent = [(user, b"%06d" % n + b"x" * size) for n in range(each) for user in users]
    producer: AIOKafkaProducer = clients.producer(settings)
    await producer.start()
    try:
        await send_keyed(producer, topic, [], within_s=10)
        await send_keyed(producer, topic, sent[: len(sent) // 2], within_s=10)
        await send_keyed(producer, topic, sent[len(sent) // 2 :], within_s=10)
    finally:
        await producer.stop()
    arrived: defaultdict[str, list[bytes]] = defaultdict(list)
    consumer: Any = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        while sum(map(len, arrived.values())) < len(sent):
            record = await consumer.getone()
            user = (record.key or b"").decode()
            assert record.partition == partition_of(user, settings.partitions_lane)
            arrived[user].append(record.value or b"")
    finally:
        await consumer.stop()
    assert arrived == {user: [value for other, value in sent if other == user] for user in users}


async def test_urgent_goes_between_any_two_records_of_a_large_send(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, appended, append = 0, list[int](), cast("Callable[..., Any]", BatchBuilder.append)

    async def count_turns() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    def always(_: TimeSlice) -> bool:
        return True

    def noted(batch: Any, **record: Any) -> Any:
        appended.append(turn)
        return append(batch, **record)

    monkeypatch.setattr(TimeSlice, "is_over", always)
    monkeypatch.setattr(BatchBuilder, "append", noted)
    producer: AIOKafkaProducer = clients.producer(settings)
    await producer.start()
    counting = asyncio.create_task(count_turns())
    try:
        await send_keyed(producer, Names(settings.prefix).receipts, [(f"user-{n}", b"x") for n in range(100)])
    finally:
        counting.cancel()
        await producer.stop()
    assert len(appended) == 100
    assert len(set(appended)) == 100
