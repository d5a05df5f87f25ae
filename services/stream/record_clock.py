"""When records came into Kafka, as far as that can be known: recipient limits are judged by it. Pure.

The broker stamps the records of a topic with `message.timestamp.type=LogAppendTime`, as every topic is declared: one
clock for all producers. On a topic that an operator declares otherwise, or that an earlier version made, each producer
stamps with a clock of its own, which may be an hour ahead or count seconds. Such stamps are believed only within
bounds.
"""

from typing import Final

from clarion.broker.commit_tracker import Partition
from clarion.broker.lean_records import Record

_BY_BROKER: Final = 1  # of `timestamp_type`
# How long ago a producer's stamp may say that its record came. A flood can pretend at most that much time, and so
# passes at most that many seconds' worth of tokens; a backlog that is older counts as published that long ago.
BELIEVED_S: Final = 15 * 60.0


def came(record: Record, now: float) -> float:
    """When the record came, in seconds: never after `now`, and by a producer's clock not long before it."""
    stamp = (record.timestamp or 0) / 1000  # of the oldest formats it is None
    if record.timestamp_type != _BY_BROKER:
        stamp = max(stamp, now - BELIEVED_S)
    return min(stamp, now)


class RecordClock:
    """A clock for each partition that never goes back: what follows a record in its partition came no earlier."""

    def __init__(self) -> None:
        self._latest: Final[dict[Partition, float]] = {}

    def read(self, partition: Partition, record: Record, now: float) -> float:
        latest = self._latest[partition] = max(self._latest.get(partition, 0.0), came(record, now))
        return latest

    def clear(self) -> None:
        self._latest.clear()
