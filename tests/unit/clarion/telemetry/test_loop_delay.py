"""How late the event loop is, is seen while it is busy."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY

from clarion.telemetry import loop_delay
from clarion.telemetry.loop_delay import LoopDelay


def observed() -> tuple[float, float]:
    """How often it was seen, and how often it was no more than 100 ms."""
    name = "clarion_loop_delay_seconds"
    count = REGISTRY.get_sample_value(f"{name}_count") or 0.0
    return count, REGISTRY.get_sample_value(f"{name}_bucket", {"le": "0.1"}) or 0.0


async def test_a_loop_that_is_busy_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_delay, "EVERY_S", 0.01)
    delay, (count, soon) = LoopDelay(), observed()
    watching = asyncio.create_task(delay.watch())
    await asyncio.sleep(0)
    time.sleep(0.2)  # noqa: ASYNC251 - what is busy here is the point
    async with asyncio.timeout(5):
        while delay.worst_s() < 0.15:
            await asyncio.sleep(0.01)
    watching.cancel()
    now_count, now_soon = observed()
    assert now_count - count > now_soon - soon


async def test_the_worst_of_a_minute_is_a_figure_and_then_forgotten() -> None:
    delay = LoopDelay()
    assert delay.figures()["loop_delay_s"] == 0.0
    for late_s in (-0.001, 0.5, 0.25, 0.0):
        delay.seen(late_s)
    assert delay.figures()["loop_delay_s"] == 0.5
    assert delay.worst_s(2) == 0.25
    for _ in range(60):
        delay.seen(0.0)
    assert delay.worst_s() == 0.0


async def test_the_tasks_of_the_loop_are_a_figure() -> None:
    before = LoopDelay().figures()["tasks"]
    waiting = asyncio.create_task(asyncio.sleep(60))
    assert LoopDelay().figures()["tasks"] == len(asyncio.all_tasks())
    assert LoopDelay().figures()["tasks"] != before
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert LoopDelay().figures()["tasks"] == before
