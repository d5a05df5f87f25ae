"""Long work gives way for as long as others have something to do, and no longer."""

import asyncio
import time

import pytest

from clarion.cooperative import AT_LEAST_EVERY_S, TimeSlice


def work(seconds: float = 0.0002) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def test_a_slice_is_over_after_half_a_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    time_slice = TimeSlice()
    now += 0.9 * AT_LEAST_EVERY_S
    assert not time_slice.is_over()
    now += 0.2 * AT_LEAST_EVERY_S
    assert time_slice.is_over()
    await time_slice.give_way()
    assert not time_slice.is_over()


async def test_others_get_as_many_turns_as_an_urgent_record_needs() -> None:
    turns = 0

    async def wake_one_another() -> None:
        nonlocal turns
        for _ in range(9):
            work()
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(wake_one_another())
    await TimeSlice().give_way()
    assert turns == 9
    await task


async def test_a_short_turn_among_longer_ones_ends_nothing() -> None:
    turns = 0

    async def wake_one_another() -> None:
        nonlocal turns
        for turn in range(9):
            work(0.0 if turn % 2 else 0.0002)
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(wake_one_another())
    await TimeSlice().give_way()
    assert turns == 9
    await task


async def test_it_gives_way_only_so_often_to_work_without_end() -> None:
    turns = 0

    async def never_end() -> None:
        nonlocal turns
        while True:
            work()
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(never_end())
    await TimeSlice().give_way()
    assert turns == 12
    task.cancel()
