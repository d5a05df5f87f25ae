"""Whether a worker may still store what it holds. Pure: time is passed in, in seconds of a monotonic clock.

A worker that was paused beyond its session timeout wakes with windows whose partitions belong to others by now. If it
stored them before the new owner stores earlier offsets, a cursor would pass notifications that are still to come.
"""

from dataclasses import dataclass

from clarion.broker.consuming.commit_tracker import CommitTracker


@dataclass(slots=True)
class Ownership:
    """Which ownership epoch of one consumer's tracker is ours. One that was given up is never ours again (D-given-up).

    `session_s` is the group's session timeout, in seconds.
    """

    tracker: CommitTracker
    session_s: float
    _given_up: int = -1
    _heard_at: float = 0.0

    def heard(self, now: float) -> None:
        """Note that the broker has confirmed this worker as a member of its group."""
        self._heard_at = now

    def holds(self, ownership_epoch: int, now: float) -> bool:
        """Return whether what was taken in that epoch is ours to work on. Gives it up when the session may be over."""
        if ownership_epoch == self.tracker.ownership_epoch and now - self._heard_at > self.session_s:
            self.give_up(ownership_epoch)
        return ownership_epoch == self.tracker.ownership_epoch and ownership_epoch != self._given_up

    def give_up(self, ownership_epoch: int) -> bool:
        """Give `ownership_epoch` up, with everything in flight; return False when it was over already."""
        if ownership_epoch != self.tracker.ownership_epoch:
            return False
        self._given_up = ownership_epoch
        return True

    def must_read_again(self) -> bool:
        """Return whether positions have to go back to what was acknowledged."""
        return self._given_up == self.tracker.ownership_epoch
