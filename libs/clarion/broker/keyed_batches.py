"""Many small records, each to its key's partition, in whole batches: `send` for each costs several times as much."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer

from clarion.broker.clients import REQUEST_S
from clarion.broker.placement import partition_of
from clarion.turns import Pace


async def send_keyed(
    through: AIOKafkaProducer, topic: str, records: Iterable[tuple[str, bytes]], *, within_s: float = REQUEST_S
) -> None:
    """Send (key, value) pairs and wait until all are acknowledged. What has one key stays in order.

    Raises one of `clients.SEND_ERRORS`; then an unknown part of them may be, or may yet get, on the broker.
    """
    async with asyncio.timeout(within_s):
        partitions = len(await through.partitions_for(topic))
        placed: defaultdict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
        pace = Pace()
        for key, value in records:
            placed[partition_of(key, partitions)].append((key.encode(), value))
            if pace.is_over():
                await pace.give_way()
        sent = await asyncio.gather(*(_send(through, topic, number, pairs) for number, pairs in placed.items()))
        await asyncio.gather(*(future for futures in sent for future in futures))


async def _send(
    through: AIOKafkaProducer, topic: str, partition: int, pairs: Iterable[tuple[bytes, bytes]]
) -> list[Any]:
    futures: list[Any] = []
    batch: Any = through.create_batch()
    for key, value in pairs:
        if batch.append(timestamp=None, key=key, value=value) is None:  # full
            futures.append(await through.send_batch(batch, topic, partition=partition))
            batch = through.create_batch()
            batch.append(timestamp=None, key=key, value=value)
    batch.close()
    futures.append(await through.send_batch(batch, topic, partition=partition))
    return futures
