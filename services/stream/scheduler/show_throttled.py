"""Shows the newest under a collapse key that its recipient's limit held back, once the flood of updates is over.

As long as updates keep coming, each replaces the one before it within QUIET: so only the last one is shown, in one
frame, with a token of the recipient's. Three steps, so that a crash between them loses nothing: first it is pending,
then it is sent, then the mark goes.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from aiokafka import AIOKafkaProducer

from clarion.broker.partitioner import partition_of
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.resilience.gcra import RateLimit
from clarion.store import notifications, sessions
from clarion.store.driver.database import Database
from clarion.store.updates import deferred
from clarion.store.updates.deferred import Deferred
from clarion.telemetry import metrics
from services.stream.engine.liveness import Liveness, come_round
from services.stream.steps.produce import produce
from services.stream.steps.records import late_records

EVERY_S: Final = 1.0
AT_ONCE: Final = 500
QUIET: Final = timedelta(seconds=1)


@dataclass(slots=True)
class ShowThrottledLoop:
    """`limit` is of as much as a lane's, and beside it: a recipient has so many keys shown late, and no more.

    What is for a recipient whose partition of `notifications.scheduled` another worker owns is that one's.
    """

    names: Names
    database: Database
    producer: AIOKafkaProducer
    owned: Callable[[], Set[int]]
    partitions: int
    limit: RateLimit | None
    progress: Liveness = field(default_factory=Liveness)

    async def run(self) -> None:
        await come_round(self.step, self.progress, EVERY_S)

    def stuck(self) -> str:
        """Why nothing is shown late; empty while that goes on."""
        stuck_s = self.progress.stuck_s()
        return f"updates held back by a limit were not shown for {stuck_s:.0f} s" if stuck_s else ""

    async def step(self) -> bool:
        """Show a bounded number; True when there may be more."""
        stored, mine = notifications.collection(self.database), self.owned()
        found = await deferred.waiting(stored, times.now() - QUIET, AT_ONCE)
        found = [item for item in found if partition_of(item.recipient, self.partitions) in mine]
        if not found:
            return False
        wanted = [item for item in found if item.is_wanted]
        due = [item for item in wanted if self._may_have(item)]
        await self._show(due)
        over = {item.id for item in wanted} - {item.id for item in due}
        await deferred.hold_back(stored, list(over))
        await deferred.settled(stored, [item.id for item in found if item.id not in over])
        return len(found) == AT_ONCE

    def _may_have(self, item: Deferred) -> bool:
        may = self.limit is None or not self.limit.take(item.recipient, time.monotonic())
        metrics.deferred.labels("shown" if may else "held back").inc()
        return may

    async def _show(self, due: list[Deferred]) -> None:
        """As what came late, whatever the cursors: they may have passed it."""
        pending = await deferred.show(notifications.collection(self.database), [item.id for item in due])
        online = await sessions.route(sessions.collection(self.database), list({item.recipient for item in due}))
        by_lane: defaultdict[Lane, list[Deferred]] = defaultdict(list)
        for item in due:
            if item.id in pending:
                by_lane[item.lane].append(item)
        await produce(
            self.producer,
            self.names,
            [record for lane, items in by_lane.items() for record in late_records(self.names, lane, items, online)],
        )
