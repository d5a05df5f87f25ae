"""Receipts on their way to Kafka: while a batch is sent, the next one gathers."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker.clients import SEND_ERRORS
from clarion.broker.keyed_batches import send_keyed
from clarion.contracts import receipts
from clarion.contracts.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.resilience.backoff import RETRY
from clarion.store import changes, database
from clarion.store.changes import Change
from clarion.store.database import Collection
from clarion.telemetry import metrics
from services.gateway.receipt_queue import ReceiptQueue

log = structlog.get_logger()

BATCH: Final = 1_000
SEND_S: Final = 5.0


@dataclass(slots=True)
class Outbox:
    producer: AIOKafkaProducer
    names: Names
    stored: Collection
    _queue: ReceiptQueue = field(default_factory=ReceiptQueue)
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _empty: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._empty.set()
        metrics.receipts_buffered.set_function(self.__len__)

    def put(self, receipt: Receipt) -> bool:
        """Take a receipt; False when there is no room. A `delivered` that is lost only means a repeat."""
        if not self._queue.put(receipt):
            metrics.receipts_dropped.inc()
            return False
        self._empty.clear()
        self._work.set()
        return True

    async def run(self) -> None:
        """Send for ever. While Kafka is away, what does not go out within SEND_S is folded into MongoDB directly."""
        failures = 0
        while True:
            if not self._queue:
                self._empty.set()
                self._work.clear()
                await self._work.wait()
            batch = self._queue.take(BATCH)
            try:
                await self._deliver(batch)
                failures = 0
            except database.TRANSIENT as error:
                # both are away: keep them, in order, and try again
                self._queue.give_back(batch)
                log.warning("receipts wait: neither Kafka nor MongoDB takes them", error=repr(error))
                await asyncio.sleep(RETRY.delay(failures))
                failures += 1

    async def _deliver(self, batch: list[Receipt]) -> None:
        records = [(receipt.user, receipts.encode(receipt)) for receipt in batch]
        try:
            await send_keyed(self.producer, self.names.receipts, records, within_s=SEND_S)
        except SEND_ERRORS as error:
            log.warning("receipts folded directly: Kafka does not take them", error=repr(error), receipts=len(batch))
            await changes.fold(self.stored, [_change(receipt) for receipt in batch if not receipt.folded])

    async def flush(self) -> None:
        """Wait until everything is sent."""
        await self._empty.wait()

    def __len__(self) -> int:
        return len(self._queue)


def _change(receipt: Receipt) -> Change:
    return Change(Op(receipt.op), tuple(receipt.ids), receipt.at, receipt.user, receipt.unstored)
