"""Whole batches: every record once, each with its key's partition, what has one key in order."""

from collections import defaultdict
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from clarion.broker import clients
from clarion.broker.keyed_batches import send_keyed
from clarion.broker.placement import partition_of
from clarion.contracts.topics import Names
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
