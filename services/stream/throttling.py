"""Which of a window go beyond their recipient's limit: they are stored and counted, and not pushed. Pure."""

from dataclasses import dataclass, field

from clarion.resilience.gcra import RateLimit
from services.stream.decoding import Decoded
from services.stream.record_clock import RecordClock


@dataclass(slots=True)
class Throttling:
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
        for entry in decoded.entries.values():
            at = self._clock.read(entry.partition, entry.record, now)
            if not entry.expired:
                entry.throttled = self.limit.take(entry.recipient, at) > 0
                decoded.throttled += entry.throttled
