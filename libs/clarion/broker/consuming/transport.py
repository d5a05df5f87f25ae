"""A Faust transport that makes one event of each partition's fetched records, with a commit tracker of its own.

Stock Faust does work for each record, which limits it to about 5,000 records a second, and its commit arithmetic takes
the offsets between two such events for gaps. The reasons are in docs/adr/0001-own-commit-tracker-in-faust.md.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import structlog
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from clarion.broker.clients import ISOLATION, SESSION_S
from clarion.broker.consuming.commit_tracker import CommitTracker, Partition
from clarion.broker.consuming.guarded_records import Unreadable
from clarion.broker.consuming.offset_store import OffsetStore
from clarion.broker.consuming.open_transactions import OpenTransactions, Place, places
from clarion.broker.consuming.ownership import Ownership
from clarion.broker.consuming.raw_records import Record, allow, take_records_as_they_are
from clarion.broker.consuming.record_batch import RECORD_OVERHEAD_BYTES, BatchMessage, RecordBatch, size_of
from clarion.contracts.limits import KIB, UNPACKED_BYTES

log = structlog.get_logger()

# Limits of what is fetched and not yet acknowledged, over all partitions; at most one fetch goes beyond them.
BUFFER_BYTES: Final = 16 * 1024 * KIB
BUFFER_BATCHES: Final = BUFFER_BYTES // RECORD_OVERHEAD_BYTES

_COMMIT_ALL_S: Final = 3.0
_COMMIT_AGAIN_S: Final = 0.05

Drain = Callable[[], Awaitable[None]]


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        """Make a consumer that reads committed records only. Faust's does so only if Faust writes in transactions."""
        consumer: Any = super()._create_worker_consumer(transport)
        consumer._isolation_level = ISOLATION
        return consumer


class Consumer(driver.Consumer):
    """Faust's consumer, with record batches as events, and a `CommitTracker` instead of Faust's commit arithmetic."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waits: Final = OpenTransactions()
        take_records_as_they_are()
        self.tracker: Final = CommitTracker()
        self._room: Final = asyncio.Event()
        self._ownership: Final = Ownership(self.tracker, SESSION_S)

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    def places(self) -> list[Place]:
        """Return where this consumer stands in its partitions; nothing before it has started."""
        consumer: Any = self._thread._consumer
        return [] if consumer is None else list(places(consumer))

    # ---- fetch

    async def _wait_next_records(self, timeout: float) -> tuple[Any, set[TP] | None]:  # noqa: ASYNC109
        """Fetch, and turn each partition's records into one event.

        The bytes in hand are bounded over all partitions, and fetching goes on as soon as there is room; the stock
        method sleeps a whole second under pressure. Otherwise the stock contract holds: nothing is fetched while the
        flow is stopped, and only active partitions are. Those that no recipient is placed in yet are left out.
        """
        if not self.flow_active:
            await self.can_resume_flow.wait()
        if self._ownership.must_read_again():
            await self._rewind()
        active = self._placed(self._get_active_partitions())
        if not active or self.tracker.held_bytes >= BUFFER_BYTES:
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._room.wait()
            return {}, active
        allow({tp.topic for tp in active}, UNPACKED_BYTES)
        ownership_epoch = self.tracker.ownership_epoch
        fetched: Mapping[Any, Sequence[Record | Unreadable]] = (
            await self._getmany(active_partitions=active, timeout=timeout) or {}
        )
        events = {tp: [self._batch(tp, some)] for tp, some in fetched.items() if some}
        if self.flow_active and ownership_epoch == self.tracker.ownership_epoch:
            self._pass_over()  # otherwise positions are about to change
        return events, active

    def _placed(self, active: set[TP]) -> set[TP]:
        """Return the `active` partitions in which recipients are placed, and pause the others."""
        placed_by = self._transport.offset_store.placed_by()
        if placed_by is None:
            return active
        placed = {tp for tp in active if tp.partition < placed_by}
        if len(placed) < len(active):
            # aiokafka asks a broker for nothing else while records of such a partition are fetched and not taken
            consumer: Any = self._thread._consumer  # type: ignore[attr-defined]
            consumer.pause(*(TopicPartition(*tp) for tp in active - placed))
        return placed

    def _pass_over(self) -> None:
        """Tell the tracker of positions beyond what was taken. No records were there, since all fetched are taken."""
        now_at = self.places()
        for place in now_at:
            partition = place.partition
            self.tracker.pass_over(partition, place.position, self._committed_offset.get(TP(*partition)))
        self.waits.look(now_at, time.monotonic())

    def _batch(self, tp: Any, fetched: Sequence[Record | Unreadable]) -> BatchMessage:
        partition = Partition(tp.topic, tp.partition)
        unreadable = [one for one in fetched if type(one) is Unreadable]
        records = [one for one in fetched if type(one) is not Unreadable] if unreadable else fetched
        size = size_of(fetched)
        batch = RecordBatch(
            partition, cast("Sequence[Record]", records), self.tracker.ownership_epoch, size, unreadable
        )
        last = batch.last
        self.tracker.take(partition, fetched[0].offset, last, size)
        return BatchMessage(tp.topic, tp.partition, last, fetched[-1].timestamp, batch)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Resume partitions, and wake a fetch that waits for an active one."""
        super().resume_partitions(tps)
        self._room.set()

    # ---- ownership

    def owns(self, ownership_epoch: int) -> bool:
        """Return whether what was taken in `ownership_epoch` is still ours to work on; if not, it is read again."""
        holds = self._ownership.holds(ownership_epoch, time.monotonic())
        if self._ownership.must_read_again():
            self._room.set()
        return holds

    def rewind(self, ownership_epoch: int) -> None:
        """Drop everything in flight, and read it again, if `ownership_epoch` is the present one."""
        if self._ownership.give_up(ownership_epoch):
            self._room.set()

    def shelve(self, batch: RecordBatch) -> None:
        """Put `batch` off: it is neither acknowledged nor held, and is read again after a `rewind`."""
        self.tracker.shelve(batch.partition, batch.last, batch.ownership_epoch)
        self._room.set()

    async def _rewind(self) -> None:
        """Seek back to what was acknowledged. Anywhere but in the fetch, Faust would drop what is fetched again."""
        points = {TP(*partition): offset for partition, offset in self.tracker.resume_points().items()}
        points = {tp: offset for tp, offset in points.items() if tp in self.assignment()}
        log.warning("records are read again, from the acknowledged offsets on", partitions=len(points))
        self.tracker.forget()
        await self.seek_wait(points)
        self._read_offset.update({tp: offset or None for tp, offset in points.items()})

    def _listen_to_heartbeats(self) -> None:
        """Tell `Ownership` of each heartbeat that the broker answers."""
        coordinator: Any = self._thread._consumer._coordinator  # type: ignore[attr-defined]
        beat = coordinator._do_heartbeat

        async def listening() -> bool:
            success = await beat()
            if success:
                self._ownership.heard(time.monotonic())
            return success

        if not getattr(beat, "is_heard", False):
            listening.is_heard = True  # type: ignore[attr-defined]
            coordinator._do_heartbeat = listening

    def _add_metadata_to_commits(self) -> None:
        """Give each commit the metadata of the offset store. Faust's commits have none, and no argument for it."""
        consumer: Any = self._thread._consumer  # type: ignore[attr-defined]
        commit = consumer.commit

        async def with_metadata(offsets: Mapping[Any, OffsetAndMetadata]) -> None:
            commit_metadata = self._transport.offset_store.commit_metadata()
            await commit({tp: OffsetAndMetadata(told.offset, commit_metadata) for tp, told in offsets.items()})

        if not getattr(commit, "adds_metadata", False):
            with_metadata.adds_metadata = True  # type: ignore[attr-defined]
            consumer.commit = with_metadata

    @property
    def _transport(self) -> "Transport":
        transport = self.transport
        assert isinstance(transport, Transport)
        return transport

    # ---- commit

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: offsets between two events belong to the later event, and are no gap."""

    def ack(self, message: Any) -> bool:
        """Acknowledge a batch; return False when it was acknowledged before, or its ownership epoch is over."""
        batch: RecordBatch = message.value
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        counted = self.tracker.ack(batch.partition, batch.last, batch.ownership_epoch)
        self._room.set()
        return counted

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (TP(*partition) for partition in self.tracker.committable())

    def _new_offset(self, tp: TP) -> int | None:
        return self.tracker.committable().get(Partition(tp.topic, tp.partition))

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return True  # the tracker offers only what is not committed yet

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        ownership_epoch = self.tracker.ownership_epoch
        if not await self._transport.offset_store.note(
            {Partition(tp.topic, tp.partition): end for tp, end in offsets.items()}
        ):
            return False
        did_commit = await super()._commit(offsets)
        if did_commit and ownership_epoch == self.tracker.ownership_epoch:
            for tp, offset in offsets.items():
                self.tracker.committed(Partition(tp.topic, tp.partition), offset)
        return did_commit

    async def _commit_all(self) -> None:
        """Commit until the broker has all that is acknowledged, or `_COMMIT_ALL_S` are over.

        One call may not suffice: `commit` does nothing while another one is under way.
        """
        try:
            async with asyncio.timeout(_COMMIT_ALL_S):
                while self.tracker.committable():
                    if not await self.commit():
                        await asyncio.sleep(_COMMIT_AGAIN_S)
        except TimeoutError:
            log.warning("not all offsets were committed in time, so some records will be read again")

    async def on_stop(self) -> None:
        """Commit all that is acknowledged, then stop."""
        await self._commit_all()
        await super().on_stop()

    # ---- position changes

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit what is in hand, within a bound, before the partitions are given up.

        Stock Faust forgets finished work first, so that up to a commit interval of it is delivered again.
        """
        if self.tracker.in_flight():
            await self._transport.drain()
        await self._commit_all()
        await super().on_partitions_revoked(revoked)
        self.tracker.forget()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Start a new ownership epoch, as a member that the group has just confirmed."""
        self.tracker.forget()
        self._ownership.heard(time.monotonic())  # joining confirms the membership as a heartbeat does
        self._listen_to_heartbeats()
        self._add_metadata_to_commits()
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Seek to what is committed, or to an earlier offset where the store says that it has less."""
        self.tracker.forget()
        await super().perform_seek()
        owned = self.assignment()
        committed = {Partition(*tp): end for tp, end in self._committed_offset.items() if end and tp in owned}
        if places := await self._transport.offset_store.resume(committed):
            points = {TP(*partition): offset for partition, offset in places.items()}
            await self.seek_wait(points)
            self._read_offset.update({tp: offset or None for tp, offset in points.items()})

    async def seek(self, partition: TP, offset: int) -> None:
        """Start a new ownership epoch and seek."""
        self.tracker.forget()
        await super().seek(partition, offset)


class Transport(driver.Transport):
    """Faust's transport with this `Consumer`.

    `drain` is awaited before partitions are given up, and must end by itself within a bound.
    """

    Consumer = Consumer

    def __init__(self, url: Any, app: Any, loop: Any, offset_store: OffsetStore, drain: Drain) -> None:
        super().__init__(url, app, loop)
        self.offset_store: Final = offset_store
        self.drain: Final = drain
