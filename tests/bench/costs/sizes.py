"""How many bytes a notification takes in MongoDB, with its indexes, and in the topics of Kafka."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import structs

from clarion.broker import group_offsets
from clarion.broker.consuming.commit_tracker import Partition
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.records.receipts import Op
from clarion.contracts.topics import Names, declare
from clarion.settings import Settings
from clarion.store import indexes, notifications
from clarion.store.driver import database
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import Change
from tests.bench.costs import varied
from tests.report import Row

_STORED: Final = 200_000
_RECIPIENTS: Final = 50_000
_WINDOW: Final = 500


async def of_mongodb(settings: Settings) -> list[Row]:
    """Store notifications of many users, a window at a time, and have each delivered; return what one takes.

    As BSON, on disk, in each index, and in the oplog.
    """
    within = database.connect(structs.replace(settings, database="sizes"))
    try:
        await indexes.ensure(within)
        before = await _stats(within.client.local, "oplog.rs")
        stored = notifications.collection(within)
        users = [new_id() for _ in range(_RECIPIENTS)]
        for start in range(0, _STORED, _WINDOW):
            documents = [varied.document(random.choice(users), start + n) for n in range(_WINDOW)]
            await notifications.insert(stored, documents)
            delivered = Change(Op.DELIVERED, tuple(one["_id"] for one in documents), times.now())
            await receipt_updates.fold(stored, [delivered])
        await within.client.admin.command("fsync")  # a checkpoint makes the sizes on disk true
        found, after = await _stats(within, stored.name), await _stats(within.client.local, "oplog.rs")
    finally:
        database.close(within)
    return [
        Row("MongoDB: a document, as BSON", found["size"] / _STORED, "bytes"),
        Row("MongoDB: a document, on disk", found["storageSize"] / _STORED, "bytes"),
        *(Row(f"MongoDB: index {name}", size / _STORED, "bytes") for name, size in found["indexSizes"].items()),
        Row("MongoDB: all indexes", found["totalIndexSize"] / _STORED, "bytes"),
        Row("MongoDB: oplog, as BSON", (after["size"] - before["size"]) / _STORED, "bytes"),
        Row("MongoDB: oplog, on disk", (after["storageSize"] - before["storageSize"]) / _STORED, "bytes"),
    ]


async def _stats(within: Any, collection: str) -> Mapping[str, Any]:
    return await within.command("collStats", collection)


async def of_kafka(settings: Settings, folder: Path) -> list[Row]:
    """Return how many records each topic has, and how many bytes of its log each takes, on one replica."""
    topics = declare(
        Names(settings.prefix),
        lane_partitions=settings.partitions_lane,
        delivery_partitions=settings.partitions_deliveries,
        replication=settings.replication,
    )
    ends = await group_offsets.ends(
        settings, [Partition(topic.name, number) for topic in topics for number in range(topic.partitions)]
    )
    rows: list[Row] = []
    for topic in topics:
        records = sum(end for partition, end in ends.items() if partition.topic == topic.name)
        log_bytes = sum(log.stat().st_size for log in _logs(folder, topic.name))
        if records:
            rows += [
                Row(f"Kafka: {topic.name}, records", records, ""),
                Row(f"Kafka: {topic.name}, bytes", log_bytes, "bytes"),
            ]
    return rows


def _logs(folder: Path, topic: str) -> Sequence[Path]:
    """Return the files of a topic's records; its indexes are made beforehand, and tell nothing."""
    return [log for log in folder.glob("kafka/**/*.log") if log.parent.name.rpartition("-")[0] == topic]
