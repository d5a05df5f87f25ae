"""Lets go what is due: read it, produce it into its lane, then mark it (D-release-first).

A crash between the two produces it again, and so does a worker that has lost its partitions and does not know it yet:
its `_id` in the lane stops the second copy.
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
from services.stream.steps.produce import produce
from services.stream.steps.records import released_records

EVERY: Final = timedelta(seconds=1)
AT_ONCE: Final = 200  # of at most RECORD_BYTES and HEADERS_BYTES each


@dataclass(slots=True)
class ReleaseLoop:
    names: Names
    database: Database
    producer: AIOKafkaProducer
    owned: Callable[[], Set[int]]  # the partitions of `notifications.scheduled` that are this worker's now
    progress: Liveness = field(default_factory=Liveness)
    _due: int = 0  # when it last looked
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def came(self, due: datetime) -> None:
        """Something is held that is due then: not to be slept over."""
        if due <= times.now() + EVERY:
            self._came.set()

    async def run(self) -> None:
        while True:
            self._came.clear()
            wait_s = await retry(self.step, "scheduler", *database.TRANSIENT)
            self.progress.made()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._came.wait()

    def stuck(self) -> str:
        """Why nothing is released; empty while that goes on."""
        stuck_s = self.progress.stuck_s()
        return f"nothing was released for {stuck_s:.0f} s, and at least {self._due} are due" if stuck_s else ""

    async def step(self) -> float:
        """Release a bounded number of what is due; return in how many seconds to look again."""
        held, mine = scheduled.collection(self.database), self.owned()
        if not mine:
            return EVERY.total_seconds()
        found = await scheduled.due(held, mine, times.now(), AT_ONCE)
        self._due = len(found)
        await produce(self.producer, self.names, released_records(self.names, found))
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
