"""Read ranges of partitions from Kafka, a few thousand records at a time."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from clarion.broker.consuming.commit_tracker import Partition

AT_ONCE: Final = 2_000  # records in one answer of `read`
_POLL_MS: Final = 500
STALLED_S: Final = 60.0  # without a record, or a step forward in any partition


class Stalled(Exception):
    """Kafka had no more to read before the end of a range; the message says where."""


async def read(
    consumer: Any, ranges: Mapping[Partition, tuple[int, int]]
) -> AsyncGenerator[tuple[Partition, Sequence[Any]]]:
    """Yield all records from the first offset to before the second of each range, in each partition's order.

    Some of them may be `Unreadable`. What Kafka removes meanwhile is left out. Raises `Stalled`, or one of
    `clients.SEND_ERRORS`.
    """
    left = {TopicPartition(*one): last for one, (first, last) in ranges.items() if first < last}
    if not left:
        return
    consumer.assign(list(left))
    for tp in left:
        consumer.seek(tp, ranges[Partition(tp.topic, tp.partition)][0])
    reached = {tp: ranges[Partition(tp.topic, tp.partition)][0] for tp in left}
    moved_at = time.monotonic()
    while left:
        try:
            fetched: dict[Any, list[Any]] = await consumer.getmany(timeout_ms=_POLL_MS, max_records=AT_ONCE)
        except OffsetOutOfRangeError:
            await _skip_what_is_gone(consumer, left)
            continue
        for tp, records in fetched.items():
            if tp in left and (wanted := [record for record in records if record.offset < left[tp]]):
                yield Partition(tp.topic, tp.partition), wanted
        for tp in [*left]:
            position = await consumer.position(tp)
            if position > reached[tp]:
                reached[tp], moved_at = position, time.monotonic()
            if position >= left[tp]:
                del left[tp]
                consumer.pause(tp)
        if left and time.monotonic() - moved_at > STALLED_S:
            where = ", ".join(f"{tp.topic} partition {tp.partition} at {reached[tp]}" for tp in left)
            raise Stalled(f"Kafka has sent nothing for {STALLED_S:.0f} s: {where}")


async def _skip_what_is_gone(consumer: Any, left: Mapping[Any, int]) -> None:
    """Go on where the partitions begin now: retention has removed what came before."""
    begins: dict[Any, int] = await consumer.beginning_offsets(list(left))
    for tp in left:
        if await consumer.position(tp) < begins[tp]:
            consumer.seek(tp, begins[tp])
