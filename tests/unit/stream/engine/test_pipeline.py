"""Windows in flight: they overlap, and in each partition every stage keeps its order, whatever takes how long."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.stream.engine.pipeline import Pipeline
from services.stream.engine.stage_order import OwnershipLost, Stage, Ticket, WindowShelved
from services.stream.engine.windows import Window, WindowPolicy
from tests.unit.fake_source import FakeSource
from tests.unit.records import batch

POLICY = WindowPolicy(max_records=4, max_age_s=0.001)


@asynccontextmanager
async def running(pipeline: Pipeline) -> AsyncGenerator[None]:
    task = asyncio.create_task(pipeline.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_age_of_a_window_counts_until_its_work_is_done() -> None:
    may_end = asyncio.Event()

    async def work(_: Window, __: Ticket) -> None:
        await may_end.wait()

    pipeline = Pipeline("test", POLICY, work, FakeSource(), windows_in_flight=2)
    assert pipeline.oldest_s() == 0
    async with running(pipeline), asyncio.timeout(10):
        await pipeline.hand(batch([b"x"], 0, 0), lambda: None)
        while pipeline.oldest_s() < 0.05:
            await asyncio.sleep(0.01)
        may_end.set()
        await pipeline.finished()
    assert pipeline.oldest_s() == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=30), st.integers(0, 2**32))
def test_every_batch_is_acknowledged_and_stages_keep_order(arrivals: list[tuple[int, int]], seed: int) -> None:
    chance = random.Random(seed)
    seen: dict[Stage, defaultdict[int, list[int]]] = {stage: defaultdict(list) for stage in Stage}
    acked: list[tuple[int, int]] = []
    at_once = 0

    async def work(window: Window, turn: Ticket) -> None:
        nonlocal at_once
        at_once = max(at_once, len(pipeline._in_flight))
        for stage in Stage:
            await asyncio.sleep(chance.random() / 2_000)
            async with turn.at(stage):
                await asyncio.sleep(chance.random() / 1_000)
                for taken in window.batches:
                    seen[stage][taken.partition.number].extend(record.offset for record in taken.records)

    pipeline = Pipeline("test", POLICY, work, FakeSource(), windows_in_flight=3)

    async def play() -> None:
        offsets: defaultdict[int, int] = defaultdict(int)
        async with running(pipeline):
            for partition, count in arrivals:
                first = offsets[partition]
                offsets[partition] += count
                await pipeline.hand(
                    batch([b"x"] * count, first, partition), lambda p=partition, f=first: acked.append((p, f))
                )
            async with asyncio.timeout(10):
                await pipeline.finished()
        for stage in Stage:
            assert seen[stage] == {p: list(range(end)) for p, end in offsets.items()}

    asyncio.run(play())
    assert len(acked) == len(arrivals)
    assert at_once <= 3


async def test_windows_of_different_partitions_are_stored_side_by_side() -> None:
    inside: set[int] = set()
    both = asyncio.Event()

    async def work(window: Window, turn: Ticket) -> None:
        async with turn.at(Stage.STORE):
            inside.update(p.number for p in window.partitions)
            if len(inside) == 2:
                both.set()
            await both.wait()

    pipeline = Pipeline("test", POLICY, work, FakeSource(), windows_in_flight=2)
    async with running(pipeline), asyncio.timeout(5):
        await pipeline.hand(batch([b"x"] * 4, 0, 0), lambda: None)
        await pipeline.hand(batch([b"x"] * 4, 0, 1), lambda: None)
        await pipeline.finished()
    assert inside == {0, 1}


async def test_what_comes_during_a_store_gathers_in_one_window() -> None:
    windows: list[int] = []
    stored = asyncio.Event()

    async def work(window: Window, turn: Ticket) -> None:
        async with turn.at(Stage.STORE):
            windows.append(window.records)
            await stored.wait()

    pipeline = Pipeline("test", WindowPolicy(max_records=100, max_age_s=0), work, FakeSource(), windows_in_flight=4)
    async with running(pipeline), asyncio.timeout(5):
        for offset in range(10):
            await pipeline.hand(batch([b"x"], offset), lambda: None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        stored.set()
        await pipeline.finished()
    assert windows[0] < 10
    assert len(windows) == 2
    assert sum(windows) == 10


async def test_lost_windows_are_not_acknowledged_but_read_again() -> None:
    acked: list[int] = []
    rewound: list[int] = []
    ours = True

    async def work(window: Window, turn: Ticket) -> None:
        nonlocal ours
        async with turn.at(Stage.STORE):
            await asyncio.sleep(0.001)
        ours = False  # paused beyond the session timeout: others have the partitions
        async with turn.at(Stage.EMIT):
            raise AssertionError("a lost window must not be emitted")

    source = FakeSource(owns=lambda _: ours, rewind=rewound.append)
    pipeline = Pipeline("test", POLICY, work, source, windows_in_flight=2)
    async with running(pipeline), asyncio.timeout(5):
        for first in (0, 4, 8):
            await pipeline.hand(batch([b"x"] * 4, first), lambda first=first: acked.append(first))
        await pipeline.finished()
    assert acked == []
    assert set(rewound) == {0}


async def test_nothing_passes_a_window_that_failed() -> None:
    """What is stored after it would show `ord` out of order while the process ends."""
    stored: list[int] = []

    async def work(window: Window, turn: Ticket) -> None:
        async with turn.at(Stage.STORE):
            await asyncio.sleep(0.001)
            if window.batches[0].last == 3:
                raise ValueError("a defect")
            stored.append(window.batches[0].last)

    pipeline = Pipeline("test", POLICY, work, FakeSource(), windows_in_flight=3)
    for first in (0, 4, 8):
        await pipeline.hand(batch([b"x"] * 4, first), lambda: None)
    with pytest.raises(ExceptionGroup, match="unhandled"):
        async with asyncio.timeout(5):
            await pipeline.run()
    assert stored == []


async def test_a_lost_turn_lets_the_next_ones_pass() -> None:
    def lost() -> None:
        raise OwnershipLost

    first = Ticket(check=lost)
    second = Ticket([first])
    with pytest.raises(OwnershipLost):
        async with first.at(Stage.STORE):
            pass
    async with asyncio.timeout(1), second.at(Stage.EMIT):
        pass


async def test_draining_finishes_what_is_begun_and_leaves_the_rest() -> None:
    begun = asyncio.Event()
    go_on = asyncio.Event()
    acked: list[int] = []

    async def work(window: Window, turn: Ticket) -> None:
        begun.set()
        await go_on.wait()

    pipeline = Pipeline("test", WindowPolicy(max_records=1, max_age_s=0), work, FakeSource())
    async with running(pipeline), asyncio.timeout(5):
        await pipeline.hand(batch([b"x"], 0), lambda: acked.append(0))
        await begun.wait()
        for offset in (1, 2, 3):
            await pipeline.hand(batch([b"x"], offset), lambda offset=offset: acked.append(offset))
        await asyncio.sleep(0)
        draining = asyncio.create_task(pipeline.drain())
        await asyncio.sleep(0)
        await pipeline.hand(batch([b"x"], 4), lambda: acked.append(4))  # still on its way when the drain began
        assert not draining.done()
        go_on.set()
        await draining
        assert acked == [0]
        await pipeline.hand(replace(batch([b"x"], 1), ownership_epoch=1), lambda: acked.append(1))  # read again
        await pipeline.finished()
    assert acked == [0, 1]


async def test_what_follows_a_shelved_window_is_shelved_and_read_again() -> None:
    """Storing what comes after it would let a cursor pass what is still to come; what comes before it is stored."""
    let_go, shelved, acked, rewound = asyncio.Event(), list[int](), list[int](), list[int]()

    async def work(window: Window, turn: Ticket) -> None:
        first = window.batches[0]
        if first.ownership_epoch == 0 and first.last == 1:
            raise WindowShelved
        async with turn.at(Stage.STORE):
            if first.ownership_epoch == 0:
                assert first.last == 0
                await let_go.wait()
        async with turn.at(Stage.EMIT):
            pass

    source = FakeSource(shelve=lambda batch: shelved.append(batch.last), rewind=rewound.append)
    pipeline = Pipeline("test", WindowPolicy(max_records=1, max_age_s=0), work, source, windows_in_flight=3)
    async with running(pipeline), asyncio.timeout(5):
        # other partitions for what is shelved: it does not wait for a turn behind what came before
        for offset in range(5):
            taken = batch([b"x"], offset, min(offset, 1))
            await pipeline.hand(taken, lambda offset=offset: acked.append(offset))
        while len(shelved) < 4:
            await asyncio.sleep(0)
        assert (shelved, acked, rewound) == ([1, 2, 3, 4], [], [])
        let_go.set()
        while not rewound:
            await asyncio.sleep(0)
        assert (acked, rewound) == ([0], [0])
        for offset in range(1, 5):
            again = replace(batch([b"x"], offset, 1), ownership_epoch=1)
            await pipeline.hand(again, lambda offset=offset: acked.append(offset))
        await pipeline.finished()
    assert (acked, rewound) == ([0, 1, 2, 3, 4], [0])


async def test_a_window_does_not_stay_open_for_a_slow_one() -> None:
    """Full or not: what came meanwhile must be able to go live without the store."""
    let_go, begun = asyncio.Event(), list[int]()

    async def work(window: Window, turn: Ticket) -> None:
        begun.append(window.batches[0].last)
        async with turn.at(Stage.STORE):
            if begun == [0]:
                await asyncio.sleep(0.02)
                assert begun == [0], "the second stays open while the first is being stored"
                turn.is_slow()
            await let_go.wait()

    pipeline = Pipeline("test", WindowPolicy(max_records=10, max_age_s=0), work, FakeSource(), windows_in_flight=2)
    async with running(pipeline), asyncio.timeout(5):
        await pipeline.hand(batch([b"x"], 0), lambda: None)
        while not begun:
            await asyncio.sleep(0)
        await pipeline.hand(batch([b"x"], 1), lambda: None)
        while len(begun) < 2:
            await asyncio.sleep(0.001)
        let_go.set()
        await pipeline.finished()
