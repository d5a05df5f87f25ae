"""Many small records, each to its key's partition, in whole batches: `send` for each costs several times as much."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer

from clarion.broker.clients import REQUEST_S
from clarion.broker.partitioner import partition_of
from clarion.cooperative import TimeSlice


async def send_keyed(
    through: AIOKafkaProducer, topic: str, records: Iterable[tuple[str, bytes]], *, within_s: float = REQUEST_S
) -> None:
    """Send (key, value) pairs and wait until all are acknowledged. What has one key stays in order.

    Raises one of `clients.SEND_ERRORS`; then an unknown part of them may be, or may yet get, on the broker.
    """
    async with asyncio.timeout(within_s):
        partitions = len(await through.partitions_for(topic))
        batches: dict[int, Any] = {}  # being filled, one a partition
        sent: list[Any] = []
        time_slice = TimeSlice()
        for key, value in records:
            number = partition_of(key, partitions)
            if number not in batches:
                batches[number] = through.create_batch()
            if batches[number].append(timestamp=None, key=key.encode(), value=value) is None:  # full
                sent.append(await _send(through, topic, number, batches[number]))
                batches[number] = through.create_batch()
                batches[number].append(timestamp=None, key=key.encode(), value=value)
            if time_slice.is_over():
                await time_slice.give_way()
        for number, batch in batches.items():  # at once, so that one request takes them
            sent.append(await _send(through, topic, number, batch))
        await asyncio.gather(*sent)


async def _send(through: Any, topic: str, partition: int, batch: Any) -> Any:
    """A future of its acknowledgement. Waits while an earlier batch of that partition has not gone out."""
    batch.close()
    return await through.send_batch(batch, topic, partition=partition)
