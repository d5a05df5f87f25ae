"""Decide when recipients may be placed by all partitions of a topic that was given more. Pure.

A recipient whose partition changes with the count has records in both. To keep their order, nothing is read of the new
partitions until everything that was put by the old count is done. That is when every producer knows the new partitions,
the old partitions' ends were asked for after that, and the store has reached those ends. Then the count and the
generation rise in one step, so that the new partitions' offsets, which begin at 0, come after everything that the
recipients had before.

This holds if each recipient's new partition is the old one or a new one, so if the new count is a multiple of the old.
With another count a recipient may move between old partitions. What is put there by the new count is sent on to the old
place until the count rises, and some of it may then come after what follows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from clarion.broker.clients import METADATA_AGE_MS
from clarion.store.topics import Known

# Our producers ask for a topic's partitions again once their answer is METADATA_AGE_MS old; the rest is for the answer.
PRODUCERS_KNOW_S: Final = METADATA_AGE_MS / 1000 + 2.0


@dataclass(slots=True)
class TopicGrowth:
    """The growth of a topic to `partitions`, more than recipients are placed by.

    The broker was first seen to have them at `seen_at`, in seconds of a monotonic clock.
    """

    partitions: int
    seen_at: float
    new: Mapping[int, int] = field(default_factory=dict[int, int])  # ends of the new partitions: what waits in each
    _ends: Mapping[int, int] | None = None  # ends of the old partitions, once nothing is put there by the old count

    def look(self, ends: Mapping[int, int], known: Known, now: float) -> Known | None:
        """Return what the store should know from now on; None while it is too early.

        `ends` are the ends of all partitions, asked for at or after `now`.
        """
        self.new = {number: end for number, end in ends.items() if number >= known.partitions}
        if self._ends is None and now - self.seen_at >= PRODUCERS_KNOW_S:
            self._ends = {number: end for number, end in ends.items() if number < known.partitions}
        if self._ends is None or any(known.reached.get(number, 0) < end for number, end in self._ends.items()):
            return None
        return replace(known, partitions=self.partitions, generation=known.generation + 1)

    def told(self, topic: str, placed_by: int) -> str:
        """Return, in words, how many records wait in the new partitions, and for what."""
        return (
            f"{topic} has {self.partitions} partitions, but its recipients are placed by {placed_by} of them until "
            f"older records are done: {sum(self.new.values())} records wait in the new partitions"
        )
