"""How far consumer groups have come, and where partitions end: for who has to know what others have done."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from clarion.broker import clients
from clarion.broker.commit_tracker import Partition
from clarion.settings import Settings


@asynccontextmanager
async def asking(settings: Settings) -> AsyncGenerator[AIOKafkaAdminClient]:
    """A client to ask with, for as long as the block runs. Raises one of SEND_ERRORS."""
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        yield admin
    finally:
        await admin.close()


async def committed(admin: AIOKafkaAdminClient, groups: Iterable[str]) -> dict[Partition, int]:
    """The committed offset of each partition that a group has committed one of. Raises one of SEND_ERRORS."""
    found: dict[Partition, int] = {}
    for group in groups:
        offsets: dict[Any, Any] = await admin.list_consumer_group_offsets(group)
        found |= {Partition(tp.topic, tp.partition): told.offset for tp, told in offsets.items()}
    return found


async def commits(admin: AIOKafkaAdminClient, group: str, topic: str) -> dict[int, tuple[int, str]]:
    """The committed offset and the metadata of each partition of `topic`. Raises one of SEND_ERRORS."""
    told: dict[Any, Any] = await admin.list_consumer_group_offsets(group)
    return {tp.partition: (one.offset, one.metadata or "") for tp, one in told.items() if tp.topic == topic}


async def ends(settings: Settings, partitions: Sequence[Partition]) -> dict[Partition, int]:
    """The offset after the last record of each. Raises one of SEND_ERRORS."""
    consumer: Any = clients.mailbox_consumer(settings)
    try:
        await clients.start(consumer)
        found: dict[Any, int] = await consumer.end_offsets([TopicPartition(*partition) for partition in partitions])
    finally:
        await clients.stop(consumer)
    return {Partition(tp.topic, tp.partition): offset for tp, offset in found.items()}
