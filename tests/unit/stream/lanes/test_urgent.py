"""The urgent lane without MongoDB: live at once, stored in order in the end, in bounded memory, whatever fails when."""

import asyncio
import random
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.broker.consuming.commit_tracker import CommitTracker, Partition
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries, notification
from clarion.contracts.records.deliveries import Unstored
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from services.stream.engine.pipeline import Pipeline
from services.stream.engine.stage_order import Stage, Ticket, WindowShelved
from services.stream.engine.windows import Window, WindowPolicy
from services.stream.lanes import urgent
from services.stream.lanes.lane import LaneWork, Mailboxes
from services.stream.lanes.urgent import UrgentWork
from services.stream.steps.decode import Decoded, decode_window
from services.stream.steps.records import Sent
from services.stream.steps.store import Outcome
from tests.unit.fake_source import FakeSource
from tests.unit.records import TOPIC, batch

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


weather = st.lists(st.tuples(st.sampled_from(["up", "away", "slow"]), st.integers(1, 40)), max_size=6)


@settings(max_examples=25, deadline=None)
@given(weather, st.lists(st.integers(0, 30), min_size=PARTITIONS, max_size=PARTITIONS), st.integers(0, 2**32))
def test_whatever_mongodb_does_everything_is_stored_in_order_and_goes_live_at_most_once(
    schedule: list[tuple[str, int]], records: list[int], seed: int
) -> None:
    world = World(records, random.Random(seed))

    async def play() -> None:
        pipeline, _ = make(world)
        tasks = [asyncio.create_task(pipeline.run()), asyncio.create_task(world.read(pipeline))]
        for what, milliseconds in schedule:
            world.away, world.slow_s = what == "away", 0.01 if what == "slow" else 0.0
            await asyncio.sleep(milliseconds / 1_000)
        world.away, world.slow_s = False, 0.0
        wanted = {Partition(TOPIC, n): end for n, end in enumerate(records) if end}
        async with asyncio.timeout(10):
            while not (wanted.items() <= world.commit().items() and world.tracker.in_flight() == 0):
                assert not any(task.done() for task in tasks), [task for task in tasks if task.done()]
                await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    with quicker():
        asyncio.run(play())
    for number, end in enumerate(records):
        assert world.stored[number] == set(range(end))
        assert world.emitted[number] == set(range(end))
    assert not world.live or max(world.live.values()) == 1
    assert world.most_inside <= PLACES
    assert world.tracker.held_bytes == 0


async def test_while_it_is_away_everything_new_goes_live_and_little_is_held() -> None:
    world = World([400, 400], random.Random(1), away=True)
    pipeline, work = make(world)
    with quicker():
        tasks = [asyncio.create_task(pipeline.run()), asyncio.create_task(world.read(pipeline))]
        async with asyncio.timeout(20):
            while len(world.live) < 800:
                await asyncio.sleep(0.001)
            while len(pipeline._in_flight) > PLACES:
                await asyncio.sleep(0.001)
        assert len(work._inside) == PLACES
        held = sum(window.size for window in pipeline._in_flight)
        assert world.tracker.held_bytes == held, "only what waits for MongoDB is held"
        assert world.tracker.in_flight() <= PARTITIONS + sum(len(window.batches) for window in pipeline._in_flight)
        assert world.stored == [set(), set()]
        world.away = False
        async with asyncio.timeout(20):
            while world.emitted != [set(range(400))] * 2:
                await asyncio.sleep(0.001)
        assert max(world.live.values()) == 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_under_steady_load_a_slow_mongodb_gets_on() -> None:
    """What was begun before a shelved window is done in full: else each rewind would undo what is nearly done."""
    world = World([0, 0], random.Random(1), slow_s=0.03)
    pipeline, _ = make(world)
    with quicker():
        tasks = [asyncio.create_task(pipeline.run()), asyncio.create_task(world.read(pipeline))]
        for _ in range(150):
            world.records = [end + 1 for end in world.records]
            await asyncio.sleep(0.01)
        published, emitted = sum(world.records), sum(map(len, world.emitted))
        assert pipeline._shelved >= 0, "there was more than could wait"
        assert emitted > published / 2
        async with asyncio.timeout(20):
            while world.emitted != [set(range(end)) for end in world.records]:
                await asyncio.sleep(0.001)
        assert max(world.live.values()) == 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_waits_to_be_emitted_goes_live_with_those_it_waits_for() -> None:
    """Its lookup was quick, that of the window before it is not: it must not count as sent when it is not."""
    world = World([], random.Random(1))
    _, work = make(world)
    let_go = asyncio.Event()

    async def route(outcome: Outcome) -> Mailboxes:
        if not world.emitted[0] and len(world.stored[0]) == 1:
            await let_go.wait()
        return {}

    world.route = route  # type: ignore[method-assign]
    first = Ticket()
    second = Ticket([first])
    with quicker():
        windows = [Window(POLICY, 0.0), Window(POLICY, 0.0)]
        for n, window in enumerate(windows):
            window.add(world._batch(0, n, 1), 0.0)
        tasks = [asyncio.create_task(work(windows[0], first)), asyncio.create_task(work(windows[1], second))]
        async with asyncio.timeout(5):
            while len(world.live) < 2:
                await asyncio.sleep(0.001)
        assert world.emitted[0] == set()
        let_go.set()
        await asyncio.gather(*tasks)
    assert world.emitted[0] == {0, 1}


async def test_windows_go_live_in_order_though_one_comes_meanwhile() -> None:
    """Else the one that was passed counts as gone live, and its users wait for as long as MongoDB is away."""
    world = World([], random.Random(1), away=True)
    _, work = make(world)
    send, is_sending = world.send, asyncio.Event()

    async def slowly(records: list[Sent]) -> None:
        is_sending.set()
        await asyncio.sleep(0.002)
        await send(records)

    world.send = slowly  # type: ignore[method-assign]
    windows = [Window(POLICY, 0.0) for _ in range(PLACES + 2)]
    turns: list[Ticket] = []
    for n, window in enumerate(windows):
        window.add(world._batch(0, n, 1), 0.0)
        turns.append(Ticket(turns[-1:]))
    with quicker():
        tasks = [asyncio.create_task(work(window, turns[n])) for n, window in enumerate(windows[:-1])]
        await is_sending.wait()
        tasks.append(asyncio.create_task(work(windows[-1], turns[-1])))
        async with asyncio.timeout(5):
            while len(world.live) < len(windows):
                await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_is_quick_does_not_go_live_early() -> None:
    world = World([], random.Random(1))
    _, work = make(world)
    turn = Ticket()
    window = Window(POLICY, 0.0)
    window.add(world._batch(0, 0, 2), 0.0)
    await work(window, turn)
    assert not world.live
    assert world.emitted[0] == {0, 1}


async def test_what_follows_a_shelved_window_goes_live_and_is_not_stored() -> None:
    world = World([], random.Random(1))
    _, work = make(world)

    def shelved() -> None:
        raise WindowShelved

    window = Window(POLICY, 0.0)
    window.add(world._batch(1, 0, 1), 0.0)
    with pytest.raises(WindowShelved):
        await work(window, Ticket(check=shelved))
    assert sum(world.live.values()) == 1
    assert world.stored == [set(), set()]
    again = Window(POLICY, 0.0)
    again.add(world._batch(1, 0, 1), 0.0)
    await work(again, Ticket())
    assert sum(world.live.values()) == 1, "read again, it is stored and not sent early a second time"
