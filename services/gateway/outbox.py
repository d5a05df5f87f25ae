"""Receipts on their way to Kafka: bounded, coalesced, in order for each user."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker.clients import SEND_ERRORS
from clarion.broker.keyed_batches import send_keyed
from clarion.contracts import receipts
from clarion.contracts.limits import IDS_PER_FRAME
from clarion.contracts.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.resilience.backoff import RETRY
from clarion.store import changes, database
from clarion.store.changes import Change
from clarion.store.database import Collection
from clarion.telemetry import metrics

log = structlog.get_logger()

CAPACITY: Final = 10_000
BATCH: Final = 500
SEND_S: Final = 5.0


@dataclass(slots=True)
class Outbox:
    producer: AIOKafkaProducer
    names: Names
    stored: Collection
    _queue: deque[Receipt] = field(default_factory=deque[Receipt])
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _empty: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._empty.set()
        metrics.receipts_buffered.set_function(self.__len__)

    def put(self, receipt: Receipt) -> bool:
        """Take a receipt; False when there is no room. A `delivered` that is lost only means a repeat."""
        last = self._queue[-1] if self._queue else None
        if last and _same(last, receipt) and len(last.ids) + len(receipt.ids) <= IDS_PER_FRAME:
            last.ids.extend(receipt.ids)
            return True
        if len(self._queue) >= CAPACITY:
            metrics.receipts_dropped.inc()
            return False
        if not self._queue:
            self._empty.clear()
            self._work.set()
        self._queue.append(receipt)
        return True

    async def run(self) -> None:
        """Send for ever. While Kafka is away, what does not go out within SEND_S is folded into MongoDB directly."""
        failures = 0
        while True:
            if not self._queue:
                self._empty.set()
                self._work.clear()
                await self._work.wait()
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            try:
                await self._deliver(batch)
                failures = 0
            except database.TRANSIENT as error:
                # both are away: keep them, in order, and try again
                self._queue.extendleft(reversed(batch))
                log.warning("receipts wait: neither Kafka nor MongoDB takes them", error=repr(error))
                await asyncio.sleep(RETRY.delay(failures))
                failures += 1

    async def _deliver(self, batch: list[Receipt]) -> None:
        records = [(receipt.user, receipts.encode(receipt)) for receipt in batch]
        try:
            await send_keyed(self.producer, self.names.receipts, records, within_s=SEND_S)
        except SEND_ERRORS as error:
            log.warning("receipts folded directly: Kafka does not take them", error=repr(error), receipts=len(batch))
            await changes.fold(self.stored, [_change(receipt) for receipt in batch])

    async def flush(self) -> None:
        """Wait until everything is sent."""
        await self._empty.wait()

    def __len__(self) -> int:
        return len(self._queue)


def _change(receipt: Receipt) -> Change:
    return Change(Op(receipt.op), tuple(receipt.ids), receipt.at, receipt.user, receipt.unstored)


def _same(one: Receipt, other: Receipt) -> bool:
    return (one.user, one.op, one.session, one.unstored) == (other.user, other.op, other.session, other.unstored)
