"""Mark what goes beyond a recipient's limit: it is stored and counted, and not pushed. Pure.

Collapsing comes first: of the entries with one collapse key in a window only the newest takes a token, since only that
one will be left. This decides about tokens only. Every entry is stored, and what is stored decides which one is left.
"""

from dataclasses import dataclass, field

from clarion.resilience.gcra import RateLimit
from services.stream.steps.decode import Decoded
from services.stream.steps.record_clock import RecordClock


@dataclass(slots=True)
class RecipientThrottle:
    """The limits of a lane's recipients.

    They go by when records came, so that a backlog is judged as it was published. They are exact within one ownership
    of partitions.
    """

    limit: RateLimit  # keyed by recipient
    _clock: RecordClock = field(default_factory=RecordClock)
    _ownership_epoch: int = -1

    def apply(self, decoded: Decoded, ownership_epoch: int, now: float) -> None:
        """Mark the entries beyond their recipients' limits as throttled. A new epoch starts with full buckets."""
        if ownership_epoch != self._ownership_epoch:
            # what is read again must not be charged twice
            self.limit.clear()
            self._clock.clear()
            self._ownership_epoch = ownership_epoch
        superseded = _superseded(decoded)
        for entry in decoded.entries.values():
            at = self._clock.time_of(entry.partition, entry.record, now)
            if not entry.expired and entry.id not in superseded:
                entry.throttled = self.limit.take(entry.recipient, at) > 0
                decoded.throttled += entry.throttled


def _superseded(decoded: Decoded) -> set[str]:
    """Return the ids of the entries that a later one in this window replaces."""
    newest: dict[tuple[str, str], str] = {}
    superseded: set[str] = set()
    for entry in decoded.entries.values():  # a recipient's entries are of one partition, and in its order
        if entry.collapse_key and not entry.expired:
            key = entry.recipient, entry.collapse_key
            if key in newest:
                superseded.add(newest[key])
            newest[key] = entry.id
    return superseded
