"""Sends receipts to Kafka in batches: while one batch is sent, the next one gathers."""

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
from clarion.broker.keyed_producer import Keyed, send_keyed
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

BATCH: Final = CAPACITY // 2  # receipts; a smaller batch is full before many have joined
GATHER_S: Final = 0.02  # a request with few receipts costs as much as one with many
GATHER_MOST: Final = 5  # times GATHER_S: nobody waits for `delivered`, and the more wait, the more join
_AT_ONCE: Final = 100  # receipts taken in one step, some 50 µs of work
_DELIVERED: Final = Op.DELIVERED
SEND_S: Final = 5.0  # for Kafka to take a batch


@dataclass(slots=True)
class ReceiptSender:
    """Sends a gateway's receipts. `stored` is where they are folded directly while Kafka is away.

    `put` and `delivered` only note a receipt; `run` sends.
    """

    producer: AIOKafkaProducer
    names: Names
    stored: Collection
    kafka: Dependency
    _queue: ReceiptQueue = field(default_factory=ReceiptQueue)
    _untold: deque[Receipt] = field(default_factory=deque[Receipt])  # folded directly; devices do not know yet
    _untold_users: set[str] = field(default_factory=set[str])
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _puts: int = 0  # receipts that were put
    _sent: int = 0  # how many of them are done with
    _awaited: bool = False  # by `flush`, or by the user's other devices, which show what was read
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        metrics.receipts_buffered.set_function(self.__len__)

    def put(self, receipt: Receipt) -> bool:
        """Take a receipt; return False when there is no room.

        A `delivered` receipt that is lost only causes a repeat.
        """
        if not self._queue.put(receipt):
            metrics.receipts_dropped.inc()
            return False
        self._puts += 1
        self._awaited = self._awaited or receipt.op is not _DELIVERED
        self._work.set()
        return True

    def delivered(self, connection: Connection, ids: Sequence[str], *, unstored: bool = False) -> None:
        """Take a receipt for what was just acknowledged; mostly it joins an earlier one of the user that waits."""
        if self._queue.join(connection.user, _DELIVERED, ids, connection.session, unstored):
            self._puts += 1
        else:
            self.put(connection.receipt(_DELIVERED, ids, unstored=unstored))

    async def run(self) -> None:
        """Send receipts until cancelled.

        A batch that Kafka does not take within SEND_S, or that comes while Kafka is away, is folded directly. Once
        Kafka is back, its receipts are sent as `folded`, so that the users' devices are told.
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
                # Kafka and MongoDB are both away: keep the receipts, in order, and try again
                self._queue.give_back(batch)
                log.warning("receipts wait, because neither Kafka nor MongoDB takes them", error=repr(error))
                await asyncio.sleep(RETRY.delay(failures))
                failures += 1
            else:
                if is_all:
                    self._sent = all_puts
                    self._moved.set()

    async def _wait(self, failures: int) -> None:
        """Wait for work; while devices are still to be told of something, only until Kafka may be tried again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY.delay(failures) if self._untold else None):
                await self._work.wait()

    async def _gather(self) -> None:
        """Let receipts gather, until a batch is full or somebody waits for one of them."""
        for _ in range(GATHER_MOST):
            await asyncio.sleep(GATHER_S)
            if self._awaited or len(self._queue) >= BATCH:
                return

    async def _take(self) -> list[Receipt]:
        """Take a batch out of the queue, and give way to other tasks while doing so."""
        batch: list[Receipt] = []
        time_slice = TimeSlice()
        while self._queue and len(batch) < BATCH:
            batch += self._queue.take(_AT_ONCE)
            await time_slice.give_way()
        return batch

    async def _deliver(self, batch: list[Receipt]) -> bool:
        """Send a batch, or fold it directly; return whether Kafka took it. Raises one of `database.TRANSIENT`."""
        if self.kafka.up is not False and await self._send(batch):
            return True
        refused = await receipt_updates.fold(self.stored, [_change(receipt) for receipt in batch if not receipt.folded])
        if refused:
            metrics.receipts_dropped.inc(len(refused))
            log.error(
                "MongoDB refused receipts for good, and they are dropped", refused=len(refused), first=refused[0].error
            )
        self._tell_later(batch)
        return False

    async def _send(self, batch: list[Receipt]) -> bool:
        """Send a batch, after the receipts that are still to be told; return whether Kafka took it."""
        untold = list(islice(self._untold, BATCH))
        try:
            await self._send_records([_record(receipt) for receipt in (*untold, *batch)])
        except SEND_ERRORS as error:
            log.warning(
                "Kafka does not take receipts, so they are folded into MongoDB directly",
                error=repr(error),
                receipts=len(batch),
            )
            return False
        for _ in untold:
            self._untold_users.discard(self._untold.popleft().user)
        return True

    async def _send_records(self, records: Sequence[Keyed]) -> None:
        """Send records together; if that is too large for the topic, send each alone and drop those that still are.

        Raises one of `clients.SEND_ERRORS`.
        """
        topic = self.names.receipts
        try:
            await send_keyed(self.producer, topic, records, within_s=SEND_S)
        except TOO_LARGE:
            alone = [
                {"topic": topic, "key": key.encode(), "value": value, "headers": headers[0] if headers else ()}
                for key, value, *headers in records
            ]
            refused = await send_each(self.producer, alone, within_s=SEND_S)
            metrics.receipts_dropped.inc(len(refused))

    def _tell_later(self, batch: list[Receipt]) -> None:
        """Keep a batch that was folded directly, to be sent as `folded` once Kafka is back."""
        for receipt in batch:
            is_count = receipt.op is Op.DELIVERED  # devices are told the count only, so one for each user does
            if is_count and receipt.user in self._untold_users:
                continue
            if len(self._untold) >= CAPACITY:
                metrics.receipts_dropped.inc()
                continue
            ids = [] if is_count else receipt.ids
            self._untold.append(msgspec.structs.replace(receipt, ids=ids, folded=True))
            self._untold_users.add(receipt.user)

    async def flush(self) -> None:
        """Wait until everything that waits now is sent or folded, whatever comes meanwhile."""
        self._awaited, until = True, self._puts
        while self._sent < until:
            self._moved.clear()
            await self._moved.wait()

    def __len__(self) -> int:
        return len(self._queue)


def _record(receipt: Receipt) -> Keyed:
    """Return the record of a receipt."""
    value = receipts.encode(receipt)
    return (receipt.user, value) if receipt.traceparent is None else (receipt.user, value, receipts.headers(receipt))


def _change(receipt: Receipt) -> Change:
    """Return what a receipt changes in the store."""
    return Change(Op(receipt.op), tuple(receipt.ids), receipt.at, receipt.user, receipt.unstored)
