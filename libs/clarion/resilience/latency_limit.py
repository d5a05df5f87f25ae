"""Limit how many calls are in flight by their own latency: a server that queues calls makes all its clients wait.

The limit moves as TCP Vegas sizes its window (Brakmo and Peterson, 1994). The best latency seen is what a call costs on
its own, and what the present latency exceeds it by is queueing. A little queueing keeps the server busy, and more of it
only delays others.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

# How many of our calls may be queueing at the server: below the first number the limit grows, above the second it
# shrinks.
_FEW: Final = 1.0
_MANY: Final = 2.0
# The best latency rises by this factor with each call (twice as long after 3,500), since data grows and servers change.
_FORGET: Final = 1.0002


class VegasLimit:
    """The limit, from 1 to `most` calls. Pure."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._limit = float(most)
        self._best: float | None = None

    @property
    def calls(self) -> int:
        """Return how many calls may be in flight now."""
        return int(self._limit)

    def observe(self, latency: float) -> None:
        """Note how long a call has taken, in seconds; for calls of different sizes, how long a unit of their work."""
        self._best = min(latency, self._best * _FORGET) if self._best else latency
        queueing = self._limit * (1 - self._best / latency) if latency else 0.0
        if queueing < _FEW:
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
        elif queueing > _MANY:
            self._limit = max(1.0, self._limit - 1 / self._limit)


class Gate:
    """Lets as many callers in at once as `limit` says at the time, first come, first served."""

    def __init__(self, limit: VegasLimit) -> None:
        self.limit: Final = limit
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def passed(self) -> AsyncGenerator[None]:
        """Wait for a place, and keep it until the block ends."""
        if self._waiting or self._inside >= self.limit.calls:
            await self._wait()
        else:
            self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._admit()

    async def _wait(self) -> None:
        """Wait until `_admit` has let this caller in and counted it."""
        admitted = asyncio.get_running_loop().create_future()
        self._waiting.append(admitted)
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():  # let in and cancelled at the same time: hand the place on
                self._inside -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._inside < self.limit.calls:
            admitted = self._waiting.popleft()
            if not admitted.done():
                self._inside += 1
                admitted.set_result(None)
