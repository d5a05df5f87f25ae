"""Whether a server that answers and stops answering by turns counts as irregular. Pure: time is passed in."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

CHANGES: Final = 3  # so many changes within WITHIN_S make a server irregular
WITHIN_S: Final = 60.0
STEADY_S: Final = 30.0  # so long without a change ends that


@dataclass(slots=True)
class Flicker:
    """When one server changed between answering and not answering, for its last `CHANGES` changes."""

    _changes: deque[float] = field(default_factory=lambda: deque[float](maxlen=CHANGES))
    _irregular: bool = False

    def changed(self, now: float) -> None:
        """Note that the server answers after it did not, or the other way round."""
        self.is_irregular(now)  # a server that has been steady for long enough starts without changes
        self._changes.append(now)
        self._irregular |= len(self._changes) == CHANGES and now - self._changes[0] <= WITHIN_S

    def is_irregular(self, now: float) -> bool:
        """Return whether the server counts as irregular at `now`."""
        if self._irregular and now - self._changes[-1] >= STEADY_S:
            self._irregular = False
            self._changes.clear()
        return self._irregular
