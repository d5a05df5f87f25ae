"""When a loop last came round: one that hangs looks like one that has nothing to do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from clarion.resilience.retry import retry
from clarion.store.driver import database
from services.stream.engine.pipeline import STUCK_S


@dataclass(slots=True)
class Liveness:
    """In seconds of a monotonic clock."""

    _made_at: float = field(default_factory=time.monotonic)

    def made(self) -> None:
        self._made_at = time.monotonic()

    def stuck_s(self) -> float:
        """For how long the loop has not come round; 0 while that is no longer than it may be."""
        waited = time.monotonic() - self._made_at
        return waited if waited > STUCK_S else 0.0


async def come_round(step: Callable[[], Awaitable[bool]], progress: Liveness, every_s: float) -> None:
    """Do the scheduler role's `step` for ever: at once again when it says that there may be more."""
    while True:
        full = await retry(step, "scheduler", *database.TRANSIENT)
        progress.made()
        if not full:
            await asyncio.sleep(every_s)
