"""Fetched records as aiokafka's parser yields them, without the `ConsumerRecord` it makes of each.

That frozen dataclass of eleven fields costs over two microseconds, a tenth of all a lane spends on a notification, to
repeat the topic and the partition that a record batch knows already.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from aiokafka.consumer import fetcher

from clarion.broker.consuming.guarded_records import Allowance, GuardedRecords, guard_records


class Record(Protocol):
    """One record of a partition."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def timestamp_type(self) -> int | None: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class _RawRecords(GuardedRecords):
    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


def take_records_as_they_are() -> Allowance:
    """For the whole process: aiokafka has no setting for it. A stream process reads Kafka in this one way only.

    Returns what may still be unpacked, over all partitions: to be set anew before each fetch.
    """
    guard_records()
    _RawRecords.allowance = Allowance()
    fetcher.PartitionRecords = _RawRecords
    return _RawRecords.allowance
