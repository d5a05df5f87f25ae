"""The urgent lane with a MongoDB that may be away or slow, and a Kafka that is read again."""

import asyncio
import random
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from clarion.broker.consuming.commit_tracker import CommitTracker, Partition
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries, notification
from clarion.contracts.records.deliveries import Unstored
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from services.stream.engine.pipeline import Pipeline
from services.stream.engine.stage_order import Stage, Ticket
from services.stream.engine.windows import Window, WindowPolicy
from services.stream.lanes import urgent
from services.stream.lanes.lane import LaneWork, Mailboxes
from services.stream.lanes.urgent import UrgentWork
from services.stream.steps.decode import Decoded, decode_window
from services.stream.steps.records import Sent
from services.stream.steps.store import Outcome
from tests.unit.fake_source import FakeSource
from tests.unit.records import batch

PLACES = 2
PARTITIONS = 2
POLICY = WindowPolicy(max_records=4, max_age_s=0)
RECIPIENTS = ["ann", "cat"]  # in this order in partitions 0 and 1 of two


@dataclass
class World:
    """MongoDB that may be away or slow, and Kafka: what is published, read, committed, and read again."""

    records: list[int]  # of each partition
    chance: random.Random
    away: bool = False
    slow_s: float = 0.0
    tracker: CommitTracker = field(default_factory=CommitTracker)
    disowned: int = -1
    commits: dict[Partition, int] = field(default_factory=dict[Partition, int])
    stored: list[set[int]] = field(default_factory=lambda: [set() for _ in range(PARTITIONS)])
    emitted: list[set[int]] = field(default_factory=lambda: [set() for _ in range(PARTITIONS)])
    live: Counter[str] = field(default_factory=Counter[str])
    most_inside: int = 0
    inside: int = 0

    # ---- MongoDB

    async def answer(self) -> None:
        while self.away:
            await asyncio.sleep(0.001)
        await asyncio.sleep(self.slow_s * self.chance.random())

    # ---- the lane

    lane = Lane.URGENT
    names = Names()
    database = None

    def decode(self, window: Window) -> Decoded:
        decoded = decode_window(window.batches, Lane.URGENT, 0, PARTITIONS, times.now())
        assert not decoded.moved, "RECIPIENTS are in their partitions"
        return decoded

    async def store(self, decoded: Decoded, turn: Ticket) -> Outcome:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.answer()
            turn.check()
            for entry in sorted(decoded.entries.values(), key=lambda entry: entry.record.offset):
                stored = self.stored[entry.partition.number]
                assert entry.record.offset in stored or set(range(entry.record.offset)) <= stored, "D-stage-order"
                stored.add(entry.record.offset)
        finally:
            self.inside -= 1
        return Outcome()

    async def route(self, _: Outcome) -> Mailboxes:
        await self.answer()
        return {}

    async def emit(self, decoded: Decoded, _: Outcome, __: Mailboxes, turn: Ticket) -> None:
        async with turn.at(Stage.EMIT):
            for entry in decoded.entries.values():
                self.emitted[entry.partition.number].add(entry.record.offset)

    async def send(self, records: list[Sent]) -> None:
        for record in records:
            delivery = deliveries.decode(record["value"])
            assert isinstance(delivery, Unstored)
            self.live.update(item.id for item in delivery.items)

    @contextmanager
    def stage(self, _: str) -> Generator[None]:
        yield

    # ---- Kafka

    async def read(self, pipeline: Pipeline) -> None:
        positions = [0] * PARTITIONS
        while True:
            if self.disowned == self.tracker.ownership_epoch:
                for partition, offset in self.commit().items():
                    positions[partition.number] = offset
                self.tracker.forget()
            for number, end in enumerate(self.records):
                if positions[number] < end:
                    count = min(self.chance.randint(1, 3), end - positions[number])
                    taken = self._batch(number, positions[number], count)
                    positions[number] += count
                    self.tracker.take(taken.partition, taken.records[0].offset, taken.last, taken.size)
                    await pipeline.hand(taken, lambda b=taken: self.tracker.ack(b.partition, b.last, b.ownership_epoch))
            await asyncio.sleep(0.001)

    def _batch(self, number: int, first: int, count: int) -> RecordBatch:
        values = [
            notification.encode(
                Notification(type="t", message=f"{number}-{n}", recipient=RECIPIENTS[number], sender="s")
            )
            for n in range(first, first + count)
        ]
        return replace(batch(list(values), first, number), ownership_epoch=self.tracker.ownership_epoch)

    def rewind(self, epoch: int) -> None:
        if epoch == self.tracker.ownership_epoch:
            self.disowned = epoch

    def commit(self) -> dict[Partition, int]:
        self.commits |= self.tracker.resume_points()
        return self.commits


def make(world: World) -> tuple[Pipeline, UrgentWork]:
    work = UrgentWork(cast("LaneWork", world), PLACES, lambda: [0])

    source = FakeSource(
        owns=lambda epoch: epoch == world.tracker.ownership_epoch and epoch != world.disowned,
        rewind=world.rewind,
        shelve=lambda b: world.tracker.shelve(b.partition, b.last, b.ownership_epoch),
    )
    return Pipeline("urgent", POLICY, work, source, windows_in_flight=2 * PLACES), work


@contextmanager
def quicker() -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urgent, "SLOW_S", 0.004)
        yield
