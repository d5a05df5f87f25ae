"""Which offset may be committed: the end of the longest acknowledged prefix of what was taken, per partition.

See D-commit-prefix. Pure: no Kafka, no clock. It replaces Faust's own arithmetic, which takes offsets between two
record batches for gaps and loses data when acknowledgements come out of order.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple


class WentBack(Exception):
    """Offsets begin again below those that were taken: the topic was made anew, or has lost records."""


class Partition(NamedTuple):
    topic: str
    number: int


@dataclass(slots=True)
class _Taken:
    last: int
    size: int
    acked: bool = False
    shelved: bool = False


@dataclass(slots=True)
class _Progress:
    end: int  # the offset after the acknowledged prefix; at first where this ownership began to read
    taken: deque[_Taken] = field(default_factory=deque[_Taken])
    committed: int | None = None


class CommitTracker:
    """Batches in the order they were taken, and their acknowledgements in any order.

    An epoch is one ownership of partitions between two position changes. What was taken in an earlier one may be read
    again in other portions, so its acknowledgements count for nothing.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.held_bytes = 0  # taken and not yet acknowledged
        self._partitions: Final[dict[Partition, _Progress]] = {}

    def take(self, partition: Partition, first: int, last: int, size: int = 0) -> None:
        """A batch of offsets `first` to `last` and `size` bytes goes to work.

        Raises `WentBack`: aiokafka starts from the beginning by itself when its position is beyond a topic's end.
        """
        progress = self._partitions.get(partition)
        if progress is None:
            progress = self._partitions[partition] = _Progress(first, committed=first)
        expected = progress.taken[-1].last + 1 if progress.taken else progress.end
        if first < expected:
            raise WentBack(f"{partition.topic} {partition.number} began again at {first} after {expected}")
        progress.taken.append(_Taken(last, size))
        self.held_bytes += size

    def pass_over(self, partition: Partition, position: int, committed: int | None) -> None:
        """The consumer stands at `position`: what is before it and was not taken holds no records.

        Such are Kafka's own markers, and what was aborted. Without this a partition that ends with them would never be
        committed to its end. `committed` is what the broker has from before this epoch.
        """
        progress = self._partitions.get(partition)
        if progress is None:
            known = min(committed or 0, position)
            self._partitions[partition] = _Progress(position, committed=known)
        elif not progress.taken:
            progress.end = max(progress.end, position)
        elif progress.taken[-1].last < position - 1:
            progress.taken.append(_Taken(position - 1, 0, acked=True))

    def ack(self, partition: Partition, last: int, epoch: int) -> bool:
        """The batch that ends with `last` is done. False when it counts for nothing: stale, or unknown."""
        progress = self._partitions.get(partition)
        if epoch != self.epoch or progress is None:
            return False
        batch = _open(progress, last)
        if batch is None:
            return False
        batch.acked = True
        self.held_bytes -= batch.size
        while progress.taken and progress.taken[0].acked:
            progress.end = progress.taken.popleft().last + 1
        return True

    def shelve(self, partition: Partition, last: int, epoch: int) -> None:
        """The batch that ends with `last` is put off until positions go back. Its bytes are held no longer.

        Shelved neighbours become one, so that a long outage keeps a few offsets and no payloads.
        """
        progress = self._partitions.get(partition)
        if epoch != self.epoch or progress is None:
            return
        batch = _open(progress, last)
        if batch is None:
            return
        batch.shelved = True
        self.held_bytes -= batch.size
        kept: deque[_Taken] = deque()
        for taken in progress.taken:
            if taken.shelved and kept and kept[-1].shelved:
                kept.pop()
            kept.append(taken)
        progress.taken = kept

    def committable(self) -> dict[Partition, int]:
        """The offset to commit for each partition whose acknowledged prefix has grown since its last good commit."""
        return {
            partition: progress.end
            for partition, progress in self._partitions.items()
            if progress.end != progress.committed
        }

    def committed(self, partition: Partition, offset: int) -> None:
        """The broker has it. A commit that failed is not told here, so it is tried again."""
        if progress := self._partitions.get(partition):
            progress.committed = offset

    def resume_points(self) -> dict[Partition, int]:
        """Where to read on from after everything in flight is dropped: behind the acknowledged prefixes."""
        return {partition: progress.end for partition, progress in self._partitions.items()}

    def in_flight(self) -> int:
        """Batches taken and not yet acknowledged or still behind one that is not; shelved neighbours count as one."""
        return sum(len(progress.taken) for progress in self._partitions.values())

    def forget(self) -> None:
        """Positions change (revoked, assigned, sought): start a new epoch with nothing in flight."""
        self.epoch += 1
        self.held_bytes = 0
        self._partitions.clear()


def _open(progress: _Progress, last: int) -> _Taken | None:
    """The batch that ends with `last`, while nothing is said of it."""
    return next((t for t in progress.taken if t.last == last and not (t.acked or t.shelved)), None)
