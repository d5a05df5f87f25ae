"""Whether a server that answers and does not answer in turns is to be called irregular. Pure: time is passed in."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

CHANGES: Final = 3  # within WITHIN_S: then it is irregular
WITHIN_S: Final = 60.0
STEADY_S: Final = 30.0  # without a change: then it is not any more


@dataclass(slots=True)
class Flicker:
    """Of one server. Keeps the times of its last CHANGES changes."""

    _changes: deque[float] = field(default_factory=lambda: deque[float](maxlen=CHANGES))
    _irregular: bool = False

    def changed(self, now: float) -> None:
        """It answers after it did not, or the other way round."""
        self.is_irregular(now)  # what has been steady for long enough begins anew
        self._changes.append(now)
        self._irregular |= len(self._changes) == CHANGES and now - self._changes[0] <= WITHIN_S

    def is_irregular(self, now: float) -> bool:
        if self._irregular and now - self._changes[-1] >= STEADY_S:
            self._irregular = False
            self._changes.clear()
        return self._irregular
