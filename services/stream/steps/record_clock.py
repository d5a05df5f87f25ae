"""Say when records came into Kafka and when they were created, as far as that can be known; limits use it. Pure.

Every topic is declared with `message.timestamp.type=LogAppendTime`, so the broker stamps its records: one clock for all
producers. On a topic that an operator declares otherwise, or that an earlier version made, each producer stamps with
its own clock, which may be an hour ahead or count seconds. Such stamps are believed only within bounds.
"""

from datetime import datetime, timedelta
from typing import Final

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.raw_records import Record
from clarion.contracts import limits, times
from clarion.contracts.records.scheduling import was_released

_BY_BROKER: Final = 1  # the `timestamp_type` of a record that the broker has stamped
# How long ago a record may have come by its producer's stamp. A flood can pretend to have taken that long at most, so
# it gets at most the tokens of that many seconds. An older backlog counts as published that long ago.
BELIEVED_S: Final = 15 * 60.0
_AHEAD: Final = -timedelta(seconds=limits.CREATED_AHEAD_S)
_BEHIND: Final = timedelta(days=limits.CREATED_BEHIND_DAYS)


def came(record: Record, now: float) -> float:
    """Return when the record came, in seconds: never after `now`, and by a producer's clock not long before it."""
    stamp = (record.timestamp or 0) / 1000  # records of the oldest formats have none
    if record.timestamp_type != _BY_BROKER:
        stamp = max(stamp, now - BELIEVED_S)
    return min(stamp, now)


def created(claimed: datetime | None, record: Record, now: datetime) -> datetime:
    """Return the creation time that the sender claims, if it is possible; else when the record came; else `now`.

    A notification of 2099 would stay on top of its recipient's inbox, and one of the year 1 would never be seen there.
    """
    if claimed is not None and _AHEAD <= now - claimed <= _BEHIND:
        return claimed
    stamp = times.from_ms(record.timestamp or 0)
    return stamp if _AHEAD <= now - stamp <= _BEHIND else now


def available(created_at: datetime, deliver_at: datetime | None, record: Record, now: datetime) -> datetime:
    """Return when its recipient could have it first: at once, or when it was due and had been released."""
    if deliver_at is None:  # `min` takes three times as long, and a lane asks for each record
        return created_at if created_at <= now else now
    due = max(created_at, deliver_at)
    if was_released(record.headers):
        due = max(due, times.from_ms(record.timestamp or 0))
    return min(due, now)


class RecordClock:
    """A clock for each partition that never goes back: what follows a record in its partition came no earlier."""

    def __init__(self) -> None:
        self._latest: Final[dict[Partition, float]] = {}

    def time_of(self, partition: Partition, record: Record, now: float) -> float:
        """Return when `record` came, in seconds, and no earlier than those before it in its partition."""
        latest = self._latest[partition] = max(self._latest.get(partition, 0.0), came(record, now))
        return latest

    def clear(self) -> None:
        """Forget the records that were read."""
        self._latest.clear()
