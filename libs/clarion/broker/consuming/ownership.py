"""Whether a worker may still store what it holds. Pure: time is passed in, in seconds of a monotonic clock.

A worker paused beyond its session timeout wakes with windows in hand whose partitions others have: storing late offsets
before the new owner stores earlier ones would let a cursor pass what is still to come.
"""

from dataclasses import dataclass

from clarion.broker.consuming.commit_tracker import CommitTracker


@dataclass(slots=True)
class Ownership:
    """Of the epochs of one consumer's tracker. Once an epoch is given up, nothing of it is ours again (D-given-up)."""

    tracker: CommitTracker
    session_s: float
    _given_up: int = -1
    _heard_at: float = 0.0

    def heard(self, now: float) -> None:
        """The broker says that this worker is a member of its group."""
        self._heard_at = now

    def holds(self, epoch: int, now: float) -> bool:
        """Whether what was taken in `epoch` is ours to work on; gives it up when the session may be over."""
        if epoch == self.tracker.epoch and now - self._heard_at > self.session_s:
            self.give_up(epoch)
        return epoch == self.tracker.epoch and epoch != self._given_up

    def give_up(self, epoch: int) -> bool:
        """Drop everything in flight of `epoch`; False when it is over anyway."""
        if epoch != self.tracker.epoch:
            return False
        self._given_up = epoch
        return True

    def must_read_again(self) -> bool:
        """Whether positions have to go back to what was acknowledged."""
        return self._given_up == self.tracker.epoch
