"""A lane's worker: its pipeline, tracker and work are the service's; the group's membership is the schedule's.

The offsets are committed to the lane's real group, and read from there when a partition is given out.
"""

import asyncio
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition

from clarion.broker.clients import SESSION_S
from clarion.broker.consuming.commit_tracker import CommitTracker, Partition
from clarion.broker.consuming.ownership import Ownership
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store.driver.database import Database
from services.stream.engine.pipeline import Pipeline
from services.stream.engine.stage_order import Ticket
from services.stream.engine.windows import Window, WindowPolicy
from services.stream.lanes.lane import LaneWork
from services.stream.lanes.urgent import UrgentWork
from tests.live.actor import ACTOR, OFFSET, Actor
from tests.live.gates import end, soon
from tests.unit.fake_source import FakeSource

ENDS_WITHIN_S: Final = 5.0
_A_RECORD: Final = WindowPolicy(max_records=1, max_age_s=0)


@dataclass(slots=True)
class LiveLane:
    """What a lane's workers share: its records, by the model's offsets, and the consumer that commits for its group."""

    lane: Lane
    settings: Settings
    stored: Database
    producer: AIOKafkaProducer
    group: Any
    base: int  # the real offset of the model's first
    records: Sequence[Any]
    windows: int
    places: int  # of an urgent worker's windows, to wait for MongoDB in
    mailboxes: int

    @property
    def partition(self) -> Partition:
        return Partition(Names(self.settings.prefix).notifications(self.lane), 0)

    async def committed(self) -> int:
        return await self.group.committed(TopicPartition(*self.partition)) - self.base

    async def commit(self, offset: int) -> None:
        await self.group.commit({TopicPartition(*self.partition): offset})


@dataclass(slots=True)
class Worker:
    lane: LiveLane
    actor: Actor = field(default_factory=Actor)
    tracker: CommitTracker = field(default_factory=CommitTracker)
    position: int | None = None  # in the model's offsets; None without the partition
    is_silent: bool = False
    working: set[int] = field(default_factory=set[int])  # the offsets of windows in hand
    _taken: list[tuple[RecordBatch, int]] = field(default_factory=list[tuple[RecordBatch, int]])  # not handed over yet
    _ownership: Ownership = field(init=False)
    _pipeline: Pipeline = field(init=False)
    _running: "asyncio.Task[None]" = field(init=False)

    def __post_init__(self) -> None:
        lane, settings = self.lane, self.lane.settings
        self._ownership = Ownership(self.tracker, SESSION_S)
        work: Any = LaneWork(
            *(lane.lane, settings.generation, 1, Names(settings.prefix), lane.stored, lane.producer, None, None)
        )
        if lane.lane is Lane.URGENT:
            work = UrgentWork(work, lane.places, lambda: range(lane.mailboxes))

        async def noted(window: Window, turn: Ticket) -> None:
            OFFSET.set(window.batches[0].last - lane.base)
            try:
                await work(window, turn)
            finally:
                self.working.discard(OFFSET.get())

        source = FakeSource(
            owns=lambda epoch: self._ownership.holds(epoch, SESSION_S + 1 if self.is_silent else 0.0),
            rewind=self._give_up,
            shelve=lambda batch: self.tracker.shelve(batch.partition, batch.last, batch.ownership_epoch),
        )
        self._pipeline = Pipeline(f"live-{lane.lane}", _A_RECORD, noted, source, windows_in_flight=lane.windows)
        context = copy_context()
        context.run(ACTOR.set, self.actor)
        self._running = asyncio.create_task(self._pipeline.run(), context=context)

    def _give_up(self, epoch: int) -> None:
        self._ownership.give_up(epoch)

    async def begin(self, position: int | None) -> None:
        """From here on: a new epoch. What is still in hand is of an old one, and ends without effect."""
        self.tracker.forget()
        self._taken.clear()
        self.position, self.is_silent = position, False
        await self._let_go()

    async def _let_go(self) -> None:
        async with asyncio.timeout(ENDS_WITHIN_S):
            while self.working:
                for offset in tuple(self.working):
                    for stage in ("store", "route", "emit"):
                        await self.actor.gates.let((stage, offset), 0.0)
                await asyncio.sleep(0)

    async def take(self, offset: int) -> None:
        """An urgent window is handed over when the schedule first does something with it: until then it is in time."""
        record = self.lane.records[offset]
        batch = RecordBatch(self.lane.partition, [record], self.tracker.ownership_epoch, len(record.value))
        self.tracker.take(batch.partition, record.offset, record.offset, batch.size)
        self.position = offset + 1
        self._taken.append((batch, offset))
        if self.lane.lane is not Lane.URGENT:
            await self.hand(offset)

    async def hand(self, up_to: int) -> None:
        while self._taken and self._taken[0][1] <= up_to:
            batch, offset = self._taken.pop(0)
            self.working.add(offset)
            partition, last, epoch = batch.partition, batch.last, batch.ownership_epoch
            await self._pipeline.hand(batch, lambda p=partition, o=last, e=epoch: self.tracker.ack(p, o, e))

    async def ended(self, offset: int) -> bool:
        """Whether the window is done, or dropped, in time."""
        return await soon(lambda: offset not in self.working, ENDS_WITHIN_S)

    def must_read_again(self) -> bool:
        return self._ownership.must_read_again()

    async def read_again(self) -> None:
        points = self.tracker.resume_points()
        is_silent = self.is_silent
        start = points.get(self.lane.partition)
        await self.begin(self.position if start is None else start - self.lane.base)
        self.is_silent = is_silent

    async def commit(self) -> bool:
        offsets = self.tracker.committable()
        for partition, offset in offsets.items():
            await self.lane.commit(offset)
            self.tracker.committed(partition, offset)
        return bool(offsets)

    async def go_on(self) -> None:
        """Whatever is left to do: its gates are open."""
        assert self.position is not None
        await self.hand(len(self.lane.records))
        if not self.working:
            if self.must_read_again():
                await self.read_again()
            elif self.position < len(self.lane.records):
                await self.take(self.position)
                await self.hand(self.position)
        await self.commit()

    async def crash(self) -> None:
        await end(self._running)
