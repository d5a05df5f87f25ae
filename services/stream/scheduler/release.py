"""Release what is due: read it, produce it into its lane, then mark it (D-release-first).

A crash before the mark produces it again, and so does a worker that has lost its partitions and does not know it yet.
The `_id` in the lane stops the second copy.
"""

import asyncio
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaProducer

from clarion.contracts import times
from clarion.contracts.topics import Names
from clarion.resilience.retry import retry
from clarion.store import scheduled
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.telemetry import metrics
from services.stream.engine.liveness import Liveness
from services.stream.scheduler.release_spans import traced
from services.stream.steps.produce import produce
from services.stream.steps.records import released_records

EVERY: Final = timedelta(seconds=1)
AT_ONCE: Final = 200  # records, each of at most RECORD_BYTES and HEADERS_BYTES


@dataclass(slots=True)
class ReleaseLoop:
    """Releases what is due in the partitions of `notifications.scheduled` that this worker owns."""

    names: Names
    database: Database
    producer: AIOKafkaProducer
    owned: Callable[[], Set[int]]  # returns this worker's partitions of `notifications.scheduled`
    progress: Liveness = field(default_factory=Liveness)
    _due: int = 0  # how many were due when it last looked, and are not released
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def came(self, due: datetime) -> None:
        """Wake the loop if what is now held is due within EVERY, so that it does not sleep over it."""
        if due <= times.now() + EVERY:
            self._came.set()

    async def run(self) -> None:
        """Release what is due when it is due, until cancelled. Look at least once in EVERY."""
        while True:
            self._came.clear()
            wait_s = await retry(self.step, "mongodb", *database.TRANSIENT)
            self.progress.made()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._came.wait()

    def stuck(self) -> str:
        """Return, in words, why this loop counts as stuck; empty while it does not."""
        stuck_s = self.progress.stuck_s()
        return f"no notification was released for {stuck_s:.0f} s, and at least {self._due} are due" if stuck_s else ""

    async def step(self) -> float:
        """Release a bounded number of what is due. Return in how many seconds to look again."""
        held, mine = scheduled.collection(self.database), self.owned()
        if not mine:
            return EVERY.total_seconds()
        found = await scheduled.due(held, mine, times.now(), AT_ONCE)
        self._due = len(found)
        await produce(self.producer, self.names, released_records(self.names, traced(found)))
        now = times.now()
        await scheduled.released(held, [item.id for item in found], now)
        for item in found:
            metrics.released.labels(item.lane).inc()
            metrics.release_late_seconds.observe(max(0.0, (now - item.due).total_seconds()))
        self._due = 0
        if len(found) == AT_ONCE:
            return 0.0
        upcoming = await scheduled.next_due(held, mine)
        wait = min(EVERY, upcoming - times.now()) if upcoming else EVERY
        return max(0.0, wait.total_seconds())
