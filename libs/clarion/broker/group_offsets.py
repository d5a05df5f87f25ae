"""How far consumer groups have come and where partitions end, for processes that wait for the progress of others."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from clarion.broker import clients
from clarion.broker.consuming.commit_tracker import Partition
from clarion.settings import Settings


class Commit(NamedTuple):
    """A committed offset. `generation` is that of its topic; None when an earlier version committed without one."""

    offset: int
    generation: int | None = None


def commit_metadata(generation: int) -> str:
    """Return the metadata of a commit, which says the topic's `generation`."""
    return f"g{generation}"


def commit(offset: int, metadata: str) -> Commit:
    """Return the commit at `offset`. It has a generation only if its `metadata` comes from `commit_metadata`."""
    digits = metadata.removeprefix("g")
    is_ours = metadata != digits and digits.isascii() and digits.isdigit()
    return Commit(offset, int(digits) if is_ours else None)


@asynccontextmanager
async def asking(settings: Settings) -> AsyncGenerator[AIOKafkaAdminClient]:
    """Yield a started admin client, and close it after the block. Raises one of `clients.SEND_ERRORS`."""
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        yield admin
    finally:
        await admin.close()


async def committed(admin: AIOKafkaAdminClient, groups: Iterable[str]) -> dict[Partition, Commit]:
    """Return the commits of `groups`; partitions without a commit are absent. Raises one of `clients.SEND_ERRORS`."""
    found: dict[Partition, Commit] = {}
    for group in groups:
        offsets: dict[Any, Any] = await admin.list_consumer_group_offsets(group)
        for tp, told in offsets.items():
            found[Partition(tp.topic, tp.partition)] = commit(told.offset, told.metadata or "")
    return found


async def ends(settings: Settings, partitions: Sequence[Partition]) -> dict[Partition, int]:
    """Return the offset after the last record of each partition. Raises one of `clients.SEND_ERRORS`."""
    consumer: Any = clients.mailbox_consumer(settings)
    try:
        await clients.start(consumer)
        found: dict[Any, int] = await consumer.end_offsets([TopicPartition(*partition) for partition in partitions])
    finally:
        await clients.stop(consumer)
    return {Partition(tp.topic, tp.partition): offset for tp, offset in found.items()}
