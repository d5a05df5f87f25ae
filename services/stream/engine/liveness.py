"""Notice a loop that hangs: seen from outside it looks like one that has nothing to do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from clarion.resilience.retry import retry
from clarion.store.driver import database
from services.stream.engine.pipeline import STUCK_S


@dataclass(slots=True)
class Liveness:
    """When a loop last finished a round, in seconds of a monotonic clock."""

    _made_at: float = field(default_factory=time.monotonic)

    def made(self) -> None:
        """Note that the loop has finished a round now."""
        self._made_at = time.monotonic()

    def stuck_s(self) -> float:
        """Return for how many seconds the loop has finished no round; 0 while that is no longer than STUCK_S."""
        waited = time.monotonic() - self._made_at
        return waited if waited > STUCK_S else 0.0


async def come_round(step: Callable[[], Awaitable[bool]], progress: Liveness, every_s: float) -> None:
    """Do a `step` of the scheduler role every `every_s` seconds, until cancelled.

    A step that returns True may have left something to do, and is done again at once.
    """
    while True:
        full = await retry(step, "mongodb", *database.TRANSIENT)
        progress.made()
        if not full:
            await asyncio.sleep(every_s)
