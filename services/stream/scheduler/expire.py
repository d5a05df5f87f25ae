"""End notifications that have expired: they leave their users' inboxes, and readers of `receipts` are told.

First the state is changed and marked, then the receipt is sent, then the mark is removed. So a crash in between loses
no announcement.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from aiokafka import AIOKafkaProducer

from clarion.contracts import times
from clarion.contracts.records.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.store import notifications
from clarion.store.driver.database import Database
from clarion.store.updates import endings
from clarion.telemetry import metrics
from services.stream.engine.liveness import Liveness, come_round
from services.stream.steps.produce import produce
from services.stream.steps.records import receipt_records

EVERY_S: Final = 1.0
AT_ONCE: Final = 500
# MongoDB's TTL monitor runs once a minute. What is still pending must be announced as expired well before it is purged.
BEFORE_PURGE: Final = timedelta(hours=1)


@dataclass(slots=True)
class ExpireLoop:
    """Expires notifications, and announces what has ended by itself."""

    names: Names
    database: Database
    producer: AIOKafkaProducer
    progress: Liveness = field(default_factory=Liveness)

    async def run(self) -> None:
        """Expire and announce every EVERY_S, until cancelled."""
        await come_round(self.step, self.progress, EVERY_S)

    def stuck(self) -> str:
        """Return, in words, why this loop counts as stuck; empty while it does not."""
        stuck_s = self.progress.stuck_s()
        return f"expired notifications were not handled for {stuck_s:.0f} s" if stuck_s else ""

    async def step(self) -> bool:
        """Expire and announce a bounded number. Return whether there may be more."""
        stored = notifications.collection(self.database)
        now = times.now()
        expired = await endings.expire(stored, now=now, purged_before=now + BEFORE_PURGE, limit=AT_ONCE)
        found = await endings.unannounced(stored, AT_ONCE)
        ended: defaultdict[tuple[str, Op], list[str]] = defaultdict(list)
        for id_, user, op in found:
            ended[user, op].append(id_)
        receipts = [Receipt(user, op, ids, now) for (user, op), ids in ended.items()]
        await produce(self.producer, self.names, receipt_records(self.names, receipts))
        await endings.announced(stored, [id_ for id_, _, _ in found])
        for (_, op), ids in ended.items():
            metrics.folded.labels(op).inc(len(ids))
        return expired >= AT_ONCE or len(found) == AT_ONCE
