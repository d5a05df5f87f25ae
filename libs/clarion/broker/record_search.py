"""Looks into partitions: where they begin and end, what was written since when, and bounded searches of records."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import OffsetOutOfRangeError

from clarion.broker import clients, topics
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.raw_records import Record
from clarion.broker.group_offsets import Commit
from clarion.contracts import times
from clarion.contracts.limits import KIB
from clarion.settings import Settings

T = TypeVar("T")

_FETCH_MS: Final = 500
_EMPTY_FETCHES: Final = 3  # in a row, after which the rest is held back, such as by an open transaction
SEARCH_BYTES: Final = 32 * 1024 * KIB
SEARCH_S: Final = 5.0


class Span(NamedTuple):
    """Offsets of a partition, from `start` to before `end`."""

    start: int
    end: int


class Hit(NamedTuple, Generic[T]):
    """What a search has found in a record, where, and when the broker took that record."""

    partition: Partition
    offset: int
    at: datetime
    found: T


@dataclass(frozen=True, slots=True)
class Searched(Generic[T]):
    """What a search found. `is_whole` is False when it ended at one of its bounds before it had read all spans."""

    hits: Sequence[Hit[T]]
    records: int
    is_whole: bool


@asynccontextmanager
async def looking(
    settings: Settings, *, within_s: float = clients.REQUEST_S, fetch_bytes: int = 1024 * KIB
) -> AsyncGenerator[Any]:
    """Yield a started consumer that belongs to no group, and so moves no offset. Raises one of `clients.SEND_ERRORS`.

    It fetches up to `fetch_bytes` of each partition at once. One task uses it at a time, since a search assigns
    partitions to it.
    """
    consumer: Any = clients.mailbox_consumer(settings, fetch_bytes=fetch_bytes)
    try:
        await clients.start(consumer, within_s=within_s)
        yield consumer
    finally:
        await clients.stop(consumer)


async def partitions_of(admin: AIOKafkaAdminClient, names: Sequence[str]) -> list[Partition]:
    """Return all partitions of those topics that exist. Raises one of `clients.SEND_ERRORS`."""
    found = [one for one in await topics.describe(admin, names) if not one["error_code"]]
    return [Partition(one["topic"], number) for one in found for number in range(len(one["partitions"]))]


async def spans(consumer: Any, partitions: Sequence[Partition]) -> dict[Partition, Span]:
    """Return what each partition has, from its first retained record on. Raises one of `clients.SEND_ERRORS`."""
    if not partitions:
        return {}
    asked = [TopicPartition(*partition) for partition in partitions]
    begins: dict[Any, int] = await consumer.beginning_offsets(asked)
    ends: dict[Any, int] = await consumer.end_offsets(asked)
    return {Partition(tp.topic, tp.partition): Span(begins[tp], ends[tp]) for tp in asked}


def unread(within: Mapping[Partition, Span], commits: Mapping[Partition, Commit]) -> dict[Partition, Span]:
    """Return what a consumer group has still to read of each span. Pure.

    A commit beyond the end is one of an earlier topic of that name, and counts for nothing.
    """
    return {
        partition: Span(max(span.start, committed(partition, span, commits)), span.end)
        for partition, span in within.items()
    }


def committed(partition: Partition, span: Span, commits: Mapping[Partition, Commit]) -> int:
    """Return up to where a group has read a partition; the start of its span without a commit that counts. Pure."""
    commit = commits.get(partition)
    return span.start if commit is None or commit.offset > span.end else commit.offset


async def since(consumer: Any, within: Mapping[Partition, Span], moment: datetime) -> dict[Partition, Span]:
    """Return the parts of the spans that the broker took since `moment`. Raises one of `clients.SEND_ERRORS`."""
    if not within:
        return {}
    milliseconds = max(0, int(moment.timestamp() * 1000))
    found: dict[Any, Any] = await consumer.offsets_for_times({TopicPartition(*p): milliseconds for p in within})
    starts = {Partition(tp.topic, tp.partition): told.offset for tp, told in found.items() if told is not None}
    return {
        partition: Span(min(max(span.start, starts.get(partition, span.end)), span.end), span.end)
        for partition, span in within.items()
    }


async def between(
    consumer: Any, within: Mapping[Partition, Span], first: datetime, last: datetime
) -> dict[Partition, Span]:
    """Return the parts of the spans that the broker took from `first` to before `last`."""
    begins, ends = await since(consumer, within, first), await since(consumer, within, last)
    return {partition: Span(span.start, ends[partition].start) for partition, span in begins.items()}


async def search(
    consumer: Any,
    within: Mapping[Partition, Span],
    match: Callable[[Record], T | None],
    *,
    hits: int,
    most_bytes: int = SEARCH_BYTES,
    within_s: float = SEARCH_S,
) -> Searched[T]:
    """Read the spans, and return what `match` finds in their records, up to `hits`.

    Ends after `most_bytes` of keys and values, or `within_s` seconds, and says so. Records that cannot be read are
    passed over. Raises one of `clients.SEND_ERRORS`.
    """
    left = {TopicPartition(*partition): span for partition, span in within.items() if span.start < span.end}
    found: list[Hit[T]] = []
    records = size = empty = 0
    ends_at = time.monotonic() + within_s
    if left:
        consumer.assign(list(left))
        for tp, span in left.items():
            consumer.seek(tp, span.start)
    while left and len(found) < hits and size < most_bytes and time.monotonic() < ends_at and empty < _EMPTY_FETCHES:
        try:
            fetched: dict[Any, list[Any]] = await consumer.getmany(*left, timeout_ms=_FETCH_MS)
        except OffsetOutOfRangeError:  # retention has removed the first records meanwhile
            begins: dict[Any, int] = await consumer.beginning_offsets(list(left))
            for tp in left:
                consumer.seek(tp, max(begins[tp], await consumer.position(tp)))
            continue
        empty = 0 if fetched else empty + 1
        for tp, some in fetched.items():
            for record in some:
                if record.offset >= left[tp].end or not hasattr(record, "value"):
                    continue
                records += 1
                size += len(record.key or b"") + len(record.value or b"")
                if (what := match(record)) is not None and len(found) < hits:
                    place = Partition(tp.topic, tp.partition)
                    found.append(Hit(place, record.offset, times.from_ms(record.timestamp), what))
        for tp in [tp for tp, span in left.items() if await consumer.position(tp) >= span.end]:
            del left[tp]
            consumer.pause(tp)
    return Searched(found, records, not left or len(found) >= hits)
