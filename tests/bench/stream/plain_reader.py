"""Reading a mailbox with aiokafka and nothing of ours: what the arms that are compared with have in common."""

from collections.abc import AsyncGenerator
from typing import Any

from aiokafka import TopicPartition

from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Addressed, Items


async def to_the_end(consumer: Any, topic: str, mailbox: int) -> None:
    """Start, and read what comes from now on."""
    await consumer.start()
    partition = TopicPartition(topic, mailbox)
    consumer.assign([partition])
    await consumer.seek_to_end()
    await consumer.position(partition)


async def items_of(consumer: Any) -> AsyncGenerator[list[Addressed]]:
    """Of one record after the other, for ever."""
    while True:
        fetched: Any = await consumer.getmany(timeout_ms=200)
        for records in fetched.values():
            for record in records:
                delivery = deliveries.decode(record.value)
                if isinstance(delivery, Items):
                    yield delivery.items
