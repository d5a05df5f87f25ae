"""The latency limit against servers of known shape, and its gate under random calls."""

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.resilience.latency_limit import Gate, VegasLimit


def settle(limit: VegasLimit, cores: int, calls: int = 500) -> int:
    """A server of `cores`: beyond them calls share it, so each takes longer."""
    for _ in range(calls):
        limit.observe(0.010 * max(1.0, limit.calls / cores))
    return limit.calls


def test_a_server_of_one_core_is_kept_busy_and_no_more() -> None:
    limit = VegasLimit(8)
    limit.observe(0.010)  # it was alone once
    assert 2 <= settle(limit, cores=1) <= 3


def test_a_server_that_scales_is_used_whole() -> None:
    limit = VegasLimit(8)
    limit.observe(0.010)
    assert settle(limit, cores=16) == 8


def test_it_recovers_when_the_server_does() -> None:
    limit = VegasLimit(8)
    limit.observe(0.010)
    for _ in range(100):
        limit.observe(0.5)
    assert limit.calls == 1
    for _ in range(100):
        limit.observe(0.010)
    assert limit.calls == 8


@given(st.lists(st.floats(0, 10), max_size=200), st.integers(1, 64))
def test_it_stays_within_its_bounds(latencies: list[float], most: int) -> None:
    limit = VegasLimit(most)
    for latency in latencies:
        limit.observe(latency)
        assert 1 <= limit.calls <= most


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_the_gate_keeps_order_and_bound_despite_cancellation(seed: int, most: int) -> None:
    chance = random.Random(seed)
    gate = Gate(VegasLimit(most))
    entered: list[int] = []
    inside = 0

    async def call(number: int) -> None:
        nonlocal inside
        async with gate.passed():
            entered.append(number)
            inside += 1
            try:
                assert inside <= most
                await asyncio.sleep(chance.random() / 5_000)
            finally:
                inside -= 1

    async def play() -> None:
        calls = [asyncio.create_task(call(n)) for n in range(20)]
        for _ in range(5):
            await asyncio.sleep(chance.random() / 2_000)
            chance.choice(calls).cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*calls, return_exceptions=True)
            await call(99)  # places of cancelled ones were handed on

    asyncio.run(play())
    assert entered == sorted(entered)
    assert entered[-1] == 99
