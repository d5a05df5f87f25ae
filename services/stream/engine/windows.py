"""Say how much a lane takes at once. Pure: time is passed in, in seconds of a monotonic clock."""

from dataclasses import dataclass, field
from typing import Final

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.contracts.lanes import Lane
from clarion.contracts.limits import KIB


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """When a window closes: at `max_records`, `max_bytes` or `max_age_s`, or after `idle_s` without anything new.

    With `max_age_s` 0 a window takes what has come and waits for nothing.
    """

    max_records: int
    max_age_s: float
    max_bytes: int = 1024 * KIB

    @property
    def idle_s(self) -> float:
        """Return after how many seconds without another batch a window closes."""
        return self.max_age_s / 4


POLICIES: Final = {
    Lane.URGENT: WindowPolicy(max_records=500, max_age_s=0),
    Lane.HIGH: WindowPolicy(max_records=200, max_age_s=0.020),
    Lane.NORMAL: WindowPolicy(max_records=500, max_age_s=0.100),
    # 2,000 instead of 1,000: the fixed cost of a window is spread over more records, a fifth less CPU for each
    Lane.LOW: WindowPolicy(max_records=2000, max_age_s=1.0, max_bytes=2 * 1024 * KIB),
}
RECEIPTS_POLICY: Final = WindowPolicy(max_records=1000, max_age_s=0.100)
# One record may have 1 MiB, and nobody waits for it
DEAD_LETTERS_POLICY: Final = WindowPolicy(max_records=200, max_age_s=0.200, max_bytes=4 * 1024 * KIB)
SCHEDULER_POLICY: Final = WindowPolicy(max_records=500, max_age_s=0.100)


@dataclass(slots=True, eq=False)
class Window:
    """The batches gathered so far. A batch is never split, so a window of a single batch may exceed its limits."""

    policy: WindowPolicy
    opened: float
    batches: list[RecordBatch] = field(default_factory=list[RecordBatch])
    records: int = 0
    size: int = 0
    partitions: set[Partition] = field(default_factory=set[Partition])
    _latest: float = 0.0
    _no_room: bool = False

    def has_room_for(self, batch: RecordBatch) -> bool:
        """Return whether `batch` may be added. An empty window takes any batch.

        A window that has no room for `batch` counts as full from then on.
        """
        room = not self.batches or (
            self.records + len(batch.records) <= self.policy.max_records
            and self.size + batch.size <= self.policy.max_bytes
        )
        self._no_room = self._no_room or not room
        return room

    def add(self, batch: RecordBatch, now: float) -> None:
        """Add `batch`, which came at `now`."""
        self.batches.append(batch)
        self.records += len(batch.records)
        self.size += batch.size
        self.partitions.add(batch.partition)
        self._latest = now

    def is_full(self) -> bool:
        """Return whether the window takes no more batches."""
        return self._no_room or self.records >= self.policy.max_records or self.size >= self.policy.max_bytes

    def wait_s(self, now: float) -> float:
        """Return how many seconds to wait for another batch; 0 when the window is to be closed."""
        if self.is_full():
            return 0.0
        closes = min(self.opened + self.policy.max_age_s, self._latest + self.policy.idle_s)
        return max(0.0, closes - now)
