"""Reads one mailbox: partition n of both delivery topics, each by a consumer and a task of its own."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from clarion.broker import clients
from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.consuming.open_transactions import OpenTransactions, places
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Delivery, Fence
from clarion.contracts.records.notification import Invalid
from clarion.contracts.topics import Names
from clarion.cooperative import TimeSlice
from clarion.process import within
from clarion.resilience.retry import retry
from clarion.settings import Settings
from clarion.store.mailboxes import Lease
from clarion.telemetry import metrics
from services.gateway.mailbox.lease import LeaseLost
from services.gateway.mailbox.read_progress import ReadProgress

log = structlog.get_logger()

POLL_MS: Final = 1_000  # two answers and a poll later it is known that a mailbox was read to its end

Handle = Callable[[Delivery], Iterable[object]]
Behind = Callable[[], None]
BeforeBulk = Callable[[], Awaitable[None]]


class MailboxReader:
    """Reads the mailbox of `lease`.

    `handle` gets decoded records in order, and yields while it works on one, so that urgent records go in between.
    `behind` is called when records may have been missed. `before_bulk` is awaited after each piece of work on bulk.
    `waits` has the open transactions that each topic waits for.
    """

    def __init__(
        self, lease: Lease, names: Names, handle: Handle, behind: Behind, before_bulk: BeforeBulk | None = None
    ) -> None:
        self.lease = lease
        self._names: Final = names
        self._topics: Final = _topics(names)
        self._handle = handle
        self._behind = behind
        self._before_bulk = before_bulk
        self._read_progress: Final = {topic: ReadProgress() for topic in self._topics}
        self._caught_up: datetime | None = None
        self.waits: Final = {topic: OpenTransactions() for topic in self._topics}

    def waiting(self) -> str:
        """Return which open transaction the mailbox waits for; empty when it waits for none."""
        now = time.monotonic()
        return "; ".join(filter(None, (waits.named(now) for waits in self.waits.values())))

    def caught_up(self) -> datetime | None:
        """Return the time up to which both topics were read to their ends (D-since-read).

        None until that is known for the first time.
        """
        return self._caught_up

    @asynccontextmanager
    async def positioned(self, settings: Settings, producer: Any) -> AsyncGenerator[list[Any]]:
        """Write the fence (D-fence), and yield consumers that stand behind it (D-position-first)."""
        consumers: list[Any] = []
        try:
            # Writing is tried again: a broker that is away just now ends no gateway, and a second fence does no harm.
            fences = await retry(lambda: write_fences(producer, self._names, self.lease), "kafka", *clients.SEND_ERRORS)
            for topic, offset in fences.items():
                consumer = await retry(lambda: _started(settings), "kafka", *clients.SEND_ERRORS)
                consumers.append(consumer)
                partition = TopicPartition(topic, self.lease.mailbox)
                consumer.assign([partition])
                consumer.seek(partition, offset + 1)
            yield consumers
        finally:
            stopped = await asyncio.gather(*map(clients.stop, consumers), return_exceptions=True)
            for error in filter(None, stopped):  # raised, they would hide why this owner ends
                log.warning("a consumer did not stop cleanly", error=repr(error))

    async def read(self, consumer: Any) -> None:
        """Read one topic until cancelled. Raises LeaseLost on a higher fence (D-owner-closes)."""
        (partition,) = consumer.assignment()
        while True:
            try:
                fetched: Any = await consumer.getmany(timeout_ms=POLL_MS)
            except OffsetOutOfRangeError:
                await self._skip(consumer, partition)
                continue
            if records := fetched.get(partition):
                await self._take(records)
            self.waits[partition.topic].look(places(consumer), time.monotonic())
            position = await consumer.position(partition)
            is_at_end = consumer.highwater(partition) == position
            self._read_progress[partition.topic].look(consumer.last_poll_timestamp(partition), is_at_end)
            known = [end.until_ms for end in self._read_progress.values() if end.until_ms is not None]
            self._caught_up = times.from_ms(min(known)) if len(known) == len(self._topics) else None

    async def _take(self, records: Sequence[Any]) -> None:
        """Handle records. Raises LeaseLost on a higher fence.

        Before a record that follows a lost one is handled, all connections read the store: otherwise a cursor could
        pass what was in the lost record (D-lost-record).
        """
        time_slice = TimeSlice()
        lost: list[str] = []
        for record in records:
            try:
                delivery = deliveries.decode(_value(record))
            except (Invalid, _Lost) as error:
                lost.append(f"offset {record.offset}: {error}")
                continue
            if isinstance(delivery, Fence):
                if delivery.epoch > self.lease.epoch:
                    raise LeaseLost(f"mailbox {self.lease.mailbox} was fenced by {delivery.owner}")
                continue
            if lost:
                self._lose(lost)
            for _ in self._handle(delivery):
                if time_slice.is_over():
                    await self._give_way(time_slice, record.topic)
            if time_slice.is_over():
                await self._give_way(time_slice, record.topic)
        if lost:
            self._lose(lost)

    async def _give_way(self, time_slice: TimeSlice, topic: str) -> None:
        await time_slice.give_way()
        if self._before_bulk is not None and topic == self._names.deliveries_bulk:
            await self._before_bulk()

    def _lose(self, lost: list[str]) -> None:
        """Log and count lost records, and have all connections read the store."""
        log.warning(
            "records of the mailbox cannot be read, so all connections read the store", records=len(lost), first=lost[0]
        )
        metrics.mailbox_lost.inc(len(lost))
        lost.clear()
        self._behind()

    async def _skip(self, consumer: Any, partition: TopicPartition) -> None:
        """Go to the end of the partition, since the position in it fell out of retention.

        The new position comes first; then all connections read the store (D-overrun-position).
        """
        ends: Any = await retry(lambda: consumer.end_offsets([partition]), "kafka", *clients.SEND_ERRORS)
        end = ends[partition]
        consumer.seek(partition, end)
        log.warning(
            "the position in the mailbox is not retained any more, so all connections read the store",
            topic=partition.topic,
            position=end,
        )
        self._behind()


def _topics(names: Names) -> tuple[str, str]:
    """Return both delivery topics, urgent first."""
    return names.deliveries(Lane.URGENT), names.deliveries_bulk


async def write_fences(producer: Any, names: Names, lease: Lease) -> dict[str, int]:
    """Tell the mailbox's earlier owner that its lease has ended (D-fence).

    Returns the offset of the fence in each topic. Raises one of `clients.SEND_ERRORS`.
    """
    value = deliveries.encode(Fence(lease.epoch, lease.owner))
    offsets: dict[str, int] = {}
    for topic in _topics(names):
        async with asyncio.timeout(clients.REQUEST_S):
            fence: Any = await producer.send_and_wait(topic, value, partition=lease.mailbox)
        offsets[topic] = fence.offset
    return offsets


async def _started(settings: Settings) -> Any:
    """Return a consumer that is started; one that does not start is stopped before the error is raised."""
    consumer = clients.mailbox_consumer(settings)
    try:
        await clients.start(consumer)
    except BaseException:
        await within(clients.REQUEST_S, clients.stop(consumer), "consumer")
        raise
    return consumer


class _Lost(Exception):  # a record that cannot be read
    pass


def _value(record: Any) -> bytes:
    """Return the value of a record. Raises `_Lost` when the record cannot be read."""
    if isinstance(record, Unreadable):
        raise _Lost(record.error)
    return record.value
