"""Say what a pipeline has to know of where its batches come from."""

from typing import Protocol

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import RecordBatch


class BatchSource(Protocol):
    """A consumer of one topic.

    A batch carries the ownership epoch in which it was taken. A rebalance or a rewind begins another one.
    """

    def owns(self, ownership_epoch: int, /) -> bool:
        """Return whether what was taken in `ownership_epoch` may still be worked on; if not, it is read again."""
        ...

    def rewind(self, ownership_epoch: int, /) -> None:
        """Read again what was taken in that epoch and is not acknowledged, if it is the present one."""
        ...

    def shelve(self, batch: RecordBatch, /) -> None:
        """Put `batch` off: it counts as neither acknowledged nor in flight, and comes again after a `rewind`."""
        ...

    def assigned(self) -> set[Partition]:
        """Return the partitions that this process has now."""
        ...

    def waiting(self) -> str:
        """Return, in words, which partition waits for an open transaction; empty when none has waited for long."""
        ...

    def readable(self) -> int:
        """Return how many offsets could be taken now: those that no open transaction hides."""
        ...
