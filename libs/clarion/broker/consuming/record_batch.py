"""What a lane works on: consecutive records of one partition, in one event of Faust."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import faust

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.consuming.raw_records import Record

# What a record costs beside what it holds, roughly; so that many small records are bounded, too.
RECORD_OVERHEAD_BYTES: Final = 512
HEADER_OVERHEAD_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one partition, as they were fetched. `size` is about what they hold, in bytes.

    `unreadable` stands for records that cannot be read: anywhere among the others, or alone.
    """

    partition: Partition
    records: Sequence[Record]
    epoch: int
    size: int
    unreadable: Sequence[Unreadable] = ()

    @property
    def last(self) -> int:
        ends = [self.records[-1].offset] if self.records else []
        return max(*ends, self.unreadable[-1].last) if self.unreadable else ends[0]


@dataclass(frozen=True, slots=True)
class BatchMessage:
    """What Faust expects of a fetched record; the batch is its value."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: RecordBatch
    timestamp_type: int = 0
    headers: tuple[()] = ()
    key: None = None
    checksum: None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


def size_of(records: Sequence[Record | Unreadable]) -> int:
    """About how many bytes they hold. Most records have no headers, so those that have are looked for first."""
    held = sum([len(record.value or b"") + len(record.key or b"") for record in records])
    headers = [header for record in records if record.headers for header in record.headers]
    return held + _bytes_of(headers) + RECORD_OVERHEAD_BYTES * len(records)


def _bytes_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum([len(name) + len(content or b"") + HEADER_OVERHEAD_BYTES for name, content in headers])


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Hands batches on as they are: decoding is the pipeline's, in one pass for a whole window."""

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> None:
        return None

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> RecordBatch:
        return message.value
