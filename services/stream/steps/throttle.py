"""Which of a window go beyond their recipient's limit: they are stored and counted, and not pushed. Pure.

Collapsing comes first: of what has one collapse key in a window only the newest takes a token, as only that will be
left. This decides nothing but tokens; everything is stored all the same, and what is stored decides which one is left.
"""

from dataclasses import dataclass, field

from clarion.resilience.gcra import RateLimit
from services.stream.steps.decode import Decoded
from services.stream.steps.record_clock import RecordClock


@dataclass(slots=True)
class RecipientThrottle:
    """By when records came: a backlog is judged as it was published. Exact within one ownership of partitions."""

    limit: RateLimit  # of each recipient
    _clock: RecordClock = field(default_factory=RecordClock)
    _epoch: int = -1

    def apply(self, decoded: Decoded, epoch: int, now: float) -> None:
        if epoch != self._epoch:
            # what is read again must not be charged twice
            self.limit.clear()
            self._clock.clear()
            self._epoch = epoch
        superseded = _superseded(decoded)
        for entry in decoded.entries.values():
            at = self._clock.read(entry.partition, entry.record, now)
            if not entry.expired and entry.id not in superseded:
                entry.throttled = self.limit.take(entry.recipient, at) > 0
                decoded.throttled += entry.throttled


def _superseded(decoded: Decoded) -> set[str]:
    """The ids of those that a later one in this window replaces."""
    newest: dict[tuple[str, str], str] = {}
    superseded: set[str] = set()
    for entry in decoded.entries.values():  # what has one recipient is of one partition, and in its order
        if entry.collapse_key and not entry.expired:
            key = entry.recipient, entry.collapse_key
            if key in newest:
                superseded.add(newest[key])
            newest[key] = entry.id
    return superseded
