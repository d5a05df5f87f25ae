"""Kafka records as a consumer would hand them over."""

from collections.abc import Sequence

from aiokafka.structs import ConsumerRecord

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import Record, RecordBatch

TOPIC = "notifications.normal"
TIMESTAMP_MS = 1_795_000_000_000


Headers = Sequence[tuple[str, bytes]]


def record(
    value: bytes | None,
    offset: int = 0,
    partition: int = 0,
    headers: Headers = (),
    *,
    timestamp_ms: int = TIMESTAMP_MS,
    by_broker: bool = False,
) -> Record:
    return ConsumerRecord(
        topic=TOPIC,
        partition=partition,
        offset=offset,
        timestamp=timestamp_ms,
        timestamp_type=int(by_broker),
        key=b"ann",
        value=value,
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=len(value or b""),
        headers=headers,
    )


def batch(values: Sequence[bytes | None], first: int = 0, partition: int = 0, headers: Headers = ()) -> RecordBatch:
    records = [record(value, first + i, partition, headers) for i, value in enumerate(values)]
    return RecordBatch(Partition(TOPIC, partition), records, 0, sum(len(value or b"") for value in values))
