"""Receipts on their way to Kafka: while a batch is sent, the next one gathers."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec
import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker.clients import SEND_ERRORS
from clarion.broker.keyed_producer import send_keyed
from clarion.broker.send_each import TOO_LARGE, send_each
from clarion.contracts.records import receipts
from clarion.contracts.records.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.cooperative import TimeSlice
from clarion.resilience.backoff import RETRY
from clarion.store.driver import database
from clarion.store.driver.database import Collection
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import Change
from clarion.telemetry import metrics
from clarion.telemetry.health import Dependency
from services.gateway.client.connection import Connection
from services.gateway.receipts.receipt_queue import CAPACITY, ReceiptQueue

log = structlog.get_logger()

BATCH: Final = CAPACITY // 2  # receipts: a smaller one is full before many have fallen together
GATHER_S: Final = 0.02  # a request of few receipts costs as much as one of many
GATHER_MOST: Final = 5  # times that: nobody waits for `delivered`, and the more wait, the more fall together
_AT_ONCE: Final = 100  # receipts taken: some 50 µs of work
_DELIVERED: Final = Op.DELIVERED
SEND_S: Final = 5.0


@dataclass(slots=True)
class ReceiptSender:
    producer: AIOKafkaProducer
    names: Names
    stored: Collection
    kafka: Dependency
    _queue: ReceiptQueue = field(default_factory=ReceiptQueue)
    _untold: deque[Receipt] = field(default_factory=deque[Receipt])  # folded directly: devices do not know of it yet
    _untold_users: set[str] = field(default_factory=set[str])
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _puts: int = 0
    _sent: int = 0  # of these
    _awaited: bool = False  # by a flush, or by the user's other devices, which show what was read
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        metrics.receipts_buffered.set_function(self.__len__)

    def put(self, receipt: Receipt) -> bool:
        """Take a receipt; False when there is no room. A `delivered` that is lost only means a repeat."""
        if not self._queue.put(receipt):
            metrics.receipts_dropped.inc()
            return False
        self._puts += 1
        self._awaited = self._awaited or receipt.op is not _DELIVERED
        self._work.set()
        return True

    def delivered(self, connection: Connection, ids: Sequence[str], *, unstored: bool = False) -> None:
        """As `put`, of what has just been acknowledged: mostly the user's earlier ones wait still."""
        if self._queue.join(connection.user, _DELIVERED, ids, connection.session, unstored):
            self._puts += 1
        else:
            self.put(connection.receipt(_DELIVERED, ids, unstored=unstored))

    async def run(self) -> None:
        """Send for ever. What does not go out within SEND_S, or at all while Kafka is away, is folded directly.

        When it is back, that is sent, too: as folded, so that the users' devices are told.
        """
        failures = 0
        while True:
            if not self._queue:
                self._work.clear()
                await self._wait(failures)
            await self._gather()
            batch = await self._take()
            is_all, all_puts = not self._queue, self._puts
            self._awaited = self._awaited and not is_all
            try:
                failures = 0 if await self._deliver(batch) else failures + 1
            except database.TRANSIENT as error:
                # both are away: keep them, in order, and try again
                self._queue.give_back(batch)
                log.warning("receipts wait: neither Kafka nor MongoDB takes them", error=repr(error))
                await asyncio.sleep(RETRY.delay(failures))
                failures += 1
            else:
                if is_all:
                    self._sent = all_puts
                    self._moved.set()

    async def _wait(self, failures: int) -> None:
        """Wait for work; while something is untold, not for longer than Kafka may be worth another try."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY.delay(failures) if self._untold else None):
                await self._work.wait()

    async def _gather(self) -> None:
        for _ in range(GATHER_MOST):
            await asyncio.sleep(GATHER_S)
            if self._awaited or len(self._queue) >= BATCH:
                return

    async def _take(self) -> list[Receipt]:
        batch: list[Receipt] = []
        time_slice = TimeSlice()
        while self._queue and len(batch) < BATCH:
            batch += self._queue.take(_AT_ONCE)
            await time_slice.give_way()
        return batch

    async def _deliver(self, batch: list[Receipt]) -> bool:
        """Whether Kafka took it."""
        if self.kafka.up is not False and await self._send(batch):
            return True
        refused = await receipt_updates.fold(self.stored, [_change(receipt) for receipt in batch if not receipt.folded])
        if refused:
            metrics.receipts_dropped.inc(len(refused))
            log.error("receipts that MongoDB can never take", refused=len(refused), first=refused[0].error)
        self._tell_later(batch)
        return False

    async def _send(self, batch: list[Receipt]) -> bool:
        untold = list(islice(self._untold, BATCH))
        try:
            await self._send_records([(receipt.user, receipts.encode(receipt)) for receipt in (*untold, *batch)])
        except SEND_ERRORS as error:
            log.warning("receipts folded directly: Kafka does not take them", error=repr(error), receipts=len(batch))
            return False
        for _ in untold:
            self._untold_users.discard(self._untold.popleft().user)
        return True

    async def _send_records(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Together; or, when that is too large for the topic, each by itself, without those that still are."""
        topic = self.names.receipts
        try:
            await send_keyed(self.producer, topic, records, within_s=SEND_S)
        except TOO_LARGE:
            alone = [{"topic": topic, "key": user.encode(), "value": value} for user, value in records]
            refused = await send_each(self.producer, alone, within_s=SEND_S)
            metrics.receipts_dropped.inc(len(refused))

    def _tell_later(self, batch: list[Receipt]) -> None:
        for receipt in batch:
            is_count = receipt.op is Op.DELIVERED  # of which only the count is told, once a user
            if is_count and receipt.user in self._untold_users:
                continue
            if len(self._untold) >= CAPACITY:
                metrics.receipts_dropped.inc()
                continue
            ids = [] if is_count else receipt.ids
            self._untold.append(msgspec.structs.replace(receipt, ids=ids, folded=True))
            self._untold_users.add(receipt.user)

    async def flush(self) -> None:
        """Wait until everything that is there now is sent, whatever comes meanwhile."""
        self._awaited, until = True, self._puts
        while self._sent < until:
            self._moved.clear()
            await self._moved.wait()

    def __len__(self) -> int:
        return len(self._queue)


def _change(receipt: Receipt) -> Change:
    return Change(Op(receipt.op), tuple(receipt.ids), receipt.at, receipt.user, receipt.unstored)
