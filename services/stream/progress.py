"""When a loop last came round: one that hangs looks like one that has nothing to do."""

import time
from dataclasses import dataclass, field

from services.stream.pipeline import STUCK_S


@dataclass(slots=True)
class Progress:
    """In seconds of a monotonic clock."""

    _made_at: float = field(default_factory=time.monotonic)

    def made(self) -> None:
        self._made_at = time.monotonic()

    def stuck_s(self) -> float:
        """For how long the loop has not come round; 0 while that is no longer than it may be."""
        waited = time.monotonic() - self._made_at
        return waited if waited > STUCK_S else 0.0
