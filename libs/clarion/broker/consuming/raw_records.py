"""Fetched records as aiokafka's parser yields them, without the `ConsumerRecord` that aiokafka makes of each.

That frozen dataclass of eleven fields costs over two microseconds, a tenth of what a lane spends on a notification, and
adds nothing but the topic and the partition, which a record batch has already.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

from aiokafka.consumer import fetcher

from clarion.broker.consuming.guarded_records import Allowance, GuardedRecords, guard_records


class Record(Protocol):
    """One record of a partition."""

    @property
    def offset(self) -> int:
        """Return the record's offset in its partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Return the record's time, in milliseconds since 1970."""
        ...

    @property
    def timestamp_type(self) -> int | None:
        """Return whose time that is: 0 for the producer's, 1 for the broker's, None if the format does not say."""
        ...

    @property
    def key(self) -> bytes | None:
        """Return the record's key."""
        ...

    @property
    def value(self) -> bytes | None:
        """Return the record's value."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Return the record's headers, in their order."""
        ...


class _RawRecords(GuardedRecords):
    by_topic: ClassVar[dict[str, Allowance]] = {}

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record

    def _allowance(self) -> Allowance:
        return self.by_topic.setdefault(self._tp.topic, Allowance())


def take_records_as_they_are() -> None:
    """Make every consumer of this process yield raw records, for which aiokafka has no setting.

    Only a stream process does so, which reads Kafka in no other way. What may be unpacked of a topic, over all
    partitions, is what `allow` has given it.
    """
    guard_records()
    fetcher.PartitionRecords = _RawRecords


def allow(topics: Iterable[str], size: int) -> None:
    """Allow `size` bytes of each topic to be unpacked from now on. Its consumer has to call this before each fetch.

    A process may have a consumer for each of several topics: none of them waits for the fetches of another.
    """
    for topic in topics:
        _RawRecords.by_topic.setdefault(topic, Allowance()).left = size
