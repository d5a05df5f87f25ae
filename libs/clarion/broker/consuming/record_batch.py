"""What the stream works on: consecutive records of one partition, in one event of Faust."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import faust

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.consuming.raw_records import Record

# Roughly what a record or header takes in memory beside its content, so that many small ones are bounded, too.
RECORD_OVERHEAD_BYTES: Final = 512
HEADER_OVERHEAD_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one partition, as they were fetched in one ownership epoch.

    `size` is about how many bytes they hold. `unreadable` stands for records that cannot be read, anywhere among the
    others or alone.
    """

    partition: Partition
    records: Sequence[Record]
    ownership_epoch: int
    size: int
    unreadable: Sequence[Unreadable] = ()

    @property
    def last(self) -> int:
        """Return the offset of the last record, readable or not."""
        ends = [self.records[-1].offset] if self.records else []
        return max(*ends, self.unreadable[-1].last) if self.unreadable else ends[0]


@dataclass(frozen=True, slots=True)
class BatchMessage:
    """A record with the attributes that Faust expects. Its value is a whole batch."""

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
    """Return about how many bytes `records` hold."""
    held = sum([len(record.value or b"") + len(record.key or b"") for record in records])
    # most records have no headers, and the condition skips those at the least cost
    headers = [header for record in records if record.headers for header in record.headers]
    return held + _bytes_of(headers) + RECORD_OVERHEAD_BYTES * len(records)


def _bytes_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum([len(name) + len(content or b"") + HEADER_OVERHEAD_BYTES for name, content in headers])


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Hands batches on undecoded: the pipeline decodes a whole window in one pass."""

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> None:
        """Return None: a batch has no key."""
        return None  # noqa: RET501 - this is the key that Faust gets

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> RecordBatch:
        """Return the message's batch."""
        return message.value
