"""What ended by itself: what has expired leaves its user's inbox, and whoever reads `receipts` is told.

Two steps, so that a crash between them loses no announcement: first the state, then the receipt, then the mark goes.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
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

log = structlog.get_logger()

EVERY_S: Final = 1.0
AT_ONCE: Final = 500
# The TTL monitor runs once a minute; what is still pending must have been told expired well before it is purged.
BEFORE_PURGE: Final = timedelta(hours=1)


@dataclass(slots=True)
class ExpireLoop:
    names: Names
    database: Database
    producer: AIOKafkaProducer
    progress: Liveness = field(default_factory=Liveness)

    async def run(self) -> None:
        await come_round(self.step, self.progress, EVERY_S)

    def stuck(self) -> str:
        """Why nothing is told to have ended; empty while that goes on."""
        stuck_s = self.progress.stuck_s()
        return f"what expired was not told for {stuck_s:.0f} s" if stuck_s else ""

    async def step(self) -> bool:
        """Expire and announce a bounded number; True when there may be more."""
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
