"""Look at how much is pending in each lane, and for how long: through the whole index, a part of it at each look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from clarion.contracts import times
from clarion.contracts.lanes import LANES, Lane
from clarion.store.driver.database import Collection
from clarion.store.queries.pending_walk import Pending, Step, step
from clarion.telemetry import metrics
from services.stream.observer.looks import Look

# A step costs MongoDB some 50 ms of CPU. So up to 50,000 pending notifications are counted at each look, and a million
# every three minutes.
STEP_KEYS: Final = 50_000
_EVERY_S: Final = 10.0
_WITHIN_S: Final = 8.0


@dataclass(slots=True)
class PendingWalk:
    """How far the present walk through the index has come, and what it has found. Pure."""

    after: str = ""
    _found: dict[Lane, Pending] = field(default_factory=dict[Lane, Pending])

    def add(self, seen: Step) -> Mapping[Lane, Pending] | None:
        """Add a step, and return what the whole walk has found if that was its last one; then begin the next walk."""
        for lane, pending in seen.found.items():
            before = self._found.get(lane, Pending(0, pending.oldest))
            self._found[lane] = Pending(before.count + pending.count, min(before.oldest, pending.oldest))
        if seen.last is not None:
            self.after = seen.last
            return None
        found, self._found, self.after = self._found, {}, ""
        return found


def pending_look(documents: Collection, step_keys: int = STEP_KEYS) -> Look:
    """Return the look at what is pending, which tells it after each whole walk through the index."""
    walk = PendingWalk()

    async def look() -> None:
        found = walk.add(await step(documents, walk.after, step_keys))
        if found is not None:
            _tell(found, times.now())

    return Look("pending", look, [metrics.pending, metrics.oldest_pending_seconds], _EVERY_S, _WITHIN_S)


def _tell(found: Mapping[Lane, Pending], now: datetime) -> None:
    metrics.pending.tell({(lane,): found[lane].count if lane in found else 0 for lane in LANES})
    metrics.oldest_pending_seconds.tell(
        {(lane,): max(0.0, (now - found[lane].oldest).total_seconds()) if lane in found else 0.0 for lane in LANES}
    )
