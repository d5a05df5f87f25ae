"""Send many small records by key, in whole batches: a `send` for each record costs several times as much."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from clarion.broker.clients import REQUEST_S
from clarion.broker.partitioner import partition_of
from clarion.cooperative import TimeSlice

Headers = Sequence[tuple[str, bytes]]
Keyed = tuple[str, bytes] | tuple[str, bytes, Headers]  # key and value, and headers if the record has some


async def send_keyed(
    through: AIOKafkaProducer, topic: str, records: Iterable[Keyed], *, within_s: float = REQUEST_S
) -> None:
    """Send records, each to its key's partition, and wait until all are acknowledged.

    Records with the same key stay in order. Raises one of `clients.SEND_ERRORS`. Then some of the records may be on the
    broker already, or still get there.
    """
    async with asyncio.timeout(within_s):
        partitions = len(await through.partitions_for(topic))
        batches: dict[int, Any] = {}  # by partition, the batch that is being filled
        sent: list[Any] = []
        time_slice = TimeSlice()
        for keyed in records:
            number = partition_of(keyed[0], partitions)
            if number not in batches:
                batches[number] = through.create_batch()
            if not _append(batches[number], keyed):  # it is full
                sent.append(await _send(through, topic, number, batches[number]))
                batches[number] = through.create_batch()
                _append(batches[number], keyed)
            if time_slice.is_over():
                await time_slice.give_way()
        for number, batch in batches.items():  # without a pause, so that one request takes them all
            sent.append(await _send(through, topic, number, batch))
        await asyncio.gather(*sent)


def _append(batch: Any, keyed: Keyed) -> bool:
    """Add a record to a batch; return whether it had room."""
    headers = list(keyed[2]) if len(keyed) == 3 else []  # nothing but a list will do
    return batch.append(timestamp=None, key=keyed[0].encode(), value=keyed[1], headers=headers) is not None


async def _send(through: Any, topic: str, partition: int, batch: Any) -> Any:
    """Return a future of the batch's acknowledgement. Waits while an earlier batch of the partition is not sent yet."""
    batch.close()
    return await through.send_batch(batch, topic, partition=partition)
