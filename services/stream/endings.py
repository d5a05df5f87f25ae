"""What ended by itself: what has expired leaves its user's inbox, and whoever reads `receipts` is told.

Two steps, so that a crash between them loses no announcement: first the state, then the receipt, then the mark goes.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker.clients import SEND_ERRORS, send_all
from clarion.contracts import times
from clarion.contracts.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.resilience.backoff import retry
from clarion.store import database, notifications
from clarion.store.database import Database
from clarion.telemetry import metrics
from services.stream.emitting import receipt_records

log = structlog.get_logger()

EVERY_S: Final = 1.0
AT_ONCE: Final = 500
# The TTL monitor runs once a minute; what is still pending must have been told expired well before it is purged.
BEFORE_PURGE: Final = timedelta(hours=1)


@dataclass(slots=True)
class Endings:
    names: Names
    database: Database
    producer: AIOKafkaProducer

    async def run(self) -> None:
        while True:
            full = await retry(self.step, "scheduler", *database.TRANSIENT, *SEND_ERRORS)
            if not full:
                await asyncio.sleep(EVERY_S)

    async def step(self) -> bool:
        """Expire and announce a bounded number; True when there may be more."""
        stored = notifications.collection(self.database)
        now = times.now()
        expired = await notifications.expire(stored, now=now, purged_before=now + BEFORE_PURGE, limit=AT_ONCE)
        found = await notifications.unannounced(stored, AT_ONCE)
        ended: defaultdict[tuple[str, Op], list[str]] = defaultdict(list)
        for id_, user, op in found:
            ended[user, op].append(id_)
        receipts = [Receipt(user, op, ids, now) for (user, op), ids in ended.items()]
        await send_all(self.producer, receipt_records(self.names, receipts))
        await notifications.announced(stored, [id_ for id_, _, _ in found])
        for (_, op), ids in ended.items():
            metrics.folded.labels(op).inc(len(ids))
        return expired >= AT_ONCE or len(found) == AT_ONCE
