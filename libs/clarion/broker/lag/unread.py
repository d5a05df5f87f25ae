"""What a consumer group has still to do, computed from its commits and the ends of its topic. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from clarion.broker.consuming.commit_tracker import Partition


class Lag(NamedTuple):
    """How far a group is behind: by how many records, and for how long the oldest of them has waited.

    `seconds` is None when nobody can tell, as where records have their producers' stamps. Offsets of Kafka's own
    markers count as records.
    """

    records: int
    seconds: float | None


class Unread(NamedTuple):
    """What a group has not committed of a partition: the offsets from `first` on, up to `end`."""

    first: int
    end: int

    @property
    def records(self) -> int:
        """Return how many offsets these are."""
        return self.end - self.first


def unread(committed: int | None, start: int, end: int) -> Unread:
    """Return what is unread of a partition that begins at `start`, whose commit may be missing.

    A commit beyond the end is of records that the partition has lost, or of another topic of the same name: then a
    consumer begins at the start, too.
    """
    if committed is None or committed > end:
        return Unread(min(start, end), end)
    return Unread(min(max(committed, start), end), end)


def lag_of(found: Iterable[Unread], came_ms: Iterable[int | None], now_s: float) -> Lag:
    """Return the lag of a group, of all its partitions. `came_ms` are the times of their first unread records."""
    records = sum(one.records for one in found)
    if not records:
        return Lag(0, 0.0)
    known = [one for one in came_ms if one is not None]
    return Lag(records, max(0.0, now_s - min(known) / 1000) if known else None)


def of_topic(unreads: Mapping[Partition, Unread], topic: str) -> dict[Partition, Unread]:
    """Return what is unread of the partitions of one topic."""
    return {partition: one for partition, one in unreads.items() if partition.topic == topic}
