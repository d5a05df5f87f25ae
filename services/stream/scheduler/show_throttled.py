"""Show the newest under a collapse key that its recipient's limit held back, once the flood of updates is over.

While updates keep coming, each replaces the one before it within QUIET. So only the last one is shown, in one frame,
for one of its recipient's tokens. First it becomes pending, then it is sent, then its mark is removed, so that a crash
in between loses nothing.
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
    """Shows what a limit held back.

    `limit` is as large as a lane's limit and apart from it: a recipient has that many keys shown late, and no more.
    Each worker shows what is for recipients whose partition of `notifications.scheduled` it owns.
    """

    names: Names
    database: Database
    producer: AIOKafkaProducer
    owned: Callable[[], Set[int]]
    partitions: int
    limit: RateLimit | None
    progress: Liveness = field(default_factory=Liveness)

    async def run(self) -> None:
        """Look for what to show every EVERY_S, until cancelled."""
        await come_round(self.step, self.progress, EVERY_S)

    def stuck(self) -> str:
        """Return, in words, why this loop counts as stuck; empty while it does not."""
        stuck_s = self.progress.stuck_s()
        return f"throttled notifications were not shown for {stuck_s:.0f} s" if stuck_s else ""

    async def step(self) -> bool:
        """Show a bounded number. Return whether there may be more."""
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
        """Make them pending, and send them like what came late: cursors may have passed them."""
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
