"""Which offset may be committed: in each partition, the end of the longest acknowledged prefix of what was taken.

See D-commit-prefix. Pure: no Kafka, no clock. It replaces Faust's own arithmetic, which takes the offsets between two
record batches for gaps and loses data when acknowledgements come out of order.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple


class WentBack(Exception):
    """A batch begins below offsets that were taken before: the topic was made anew, or has lost records."""


class Partition(NamedTuple):
    """A partition of a topic, by its number."""

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
    end: int  # the offset after the acknowledged prefix; at first, where reading began
    taken: deque[_Taken] = field(default_factory=deque[_Taken])
    committed: int | None = None


class CommitTracker:
    """Batches in the order in which they were taken, with acknowledgements that may come in any order.

    An ownership epoch is one ownership of partitions between two changes of position. What was acknowledged in an
    earlier one counts for nothing, because what was taken in it may be read again in other portions.
    """

    def __init__(self) -> None:
        self.ownership_epoch = 0
        self.held_bytes = 0  # taken, and neither acknowledged nor shelved
        self._partitions: Final[dict[Partition, _Progress]] = {}

    def take(self, partition: Partition, first: int, last: int, size: int = 0) -> None:
        """Note that a batch of offsets `first` to `last`, of `size` bytes, was taken.

        Raises `WentBack` when its offsets come after higher ones: aiokafka starts from the beginning by itself when its
        position is beyond a topic's end.
        """
        progress = self._partitions.get(partition)
        if progress is None:
            progress = self._partitions[partition] = _Progress(first, committed=first)
        expected = progress.taken[-1].last + 1 if progress.taken else progress.end
        if first < expected:
            raise WentBack(
                f"{partition.topic} partition {partition.number} went back from offset {expected} to {first}"
            )
        progress.taken.append(_Taken(last, size))
        self.held_bytes += size

    def pass_over(self, partition: Partition, position: int, committed: int | None) -> None:
        """Note that the consumer stands at `position`: offsets before it that were not taken hold no records.

        They are Kafka's own markers and aborted records. Without this, a partition that ends with them would never be
        committed to its end. `committed` is the commit that the broker has from before this ownership epoch, or None.
        """
        progress = self._partitions.get(partition)
        if progress is None:
            known = min(committed or 0, position)
            self._partitions[partition] = _Progress(position, committed=known)
        elif not progress.taken:
            progress.end = max(progress.end, position)
        elif progress.taken[-1].last < position - 1:
            progress.taken.append(_Taken(position - 1, 0, acked=True))

    def ack(self, partition: Partition, last: int, ownership_epoch: int) -> bool:
        """Acknowledge the batch that ends with `last`. Return False, and change nothing, if it is stale or unknown."""
        progress = self._partitions.get(partition)
        if ownership_epoch != self.ownership_epoch or progress is None:
            return False
        batch = _open(progress, last)
        if batch is None:
            return False
        batch.acked = True
        self.held_bytes -= batch.size
        while progress.taken and progress.taken[0].acked:
            progress.end = progress.taken.popleft().last + 1
        return True

    def shelve(self, partition: Partition, last: int, ownership_epoch: int) -> None:
        """Put the batch that ends with `last` off until positions go back. Its bytes no longer count as held.

        Neighbours that are shelved become one entry, so that a long outage keeps a few offsets and no payloads.
        """
        progress = self._partitions.get(partition)
        if ownership_epoch != self.ownership_epoch or progress is None:
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
        """Return the offset to commit, for each partition whose acknowledged prefix has grown since its last commit."""
        return {
            partition: progress.end
            for partition, progress in self._partitions.items()
            if progress.end != progress.committed
        }

    def committed(self, partition: Partition, offset: int) -> None:
        """Note that the broker has this commit. One that failed is not noted, so `committable` offers it again."""
        if progress := self._partitions.get(partition):
            progress.committed = offset

    def resume_points(self) -> dict[Partition, int]:
        """Return where to read on after everything in flight was dropped: at the ends of the acknowledged prefixes."""
        return {partition: progress.end for partition, progress in self._partitions.items()}

    def in_flight(self) -> int:
        """Return how many batches the acknowledged prefixes have not passed yet; shelved neighbours count as one."""
        return sum(len(progress.taken) for progress in self._partitions.values())

    def forget(self) -> None:
        """Start a new ownership epoch with nothing in flight. Call it on revoke, assignment and seek."""
        self.ownership_epoch += 1
        self.held_bytes = 0
        self._partitions.clear()


def _open(progress: _Progress, last: int) -> _Taken | None:
    """Return the batch that ends with `last`, unless it is acknowledged or shelved already."""
    return next((t for t in progress.taken if t.last == last and not (t.acked or t.shelved)), None)
