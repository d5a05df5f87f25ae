"""Whether a lane's cost or memory grows with what it has done: the last tenth of many against the first.

A virtual machine gets slower under load: in one run the lane cost 50 % more at the end, and a fixed piece of work in
the process of the bench 55 % more. Both changes are shown, and the change of the lane against that of the machine.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Final, NamedTuple

import msgspec
from rich.console import Console

from tests.bench.stream.throughput import Sample, run
from tests.report import Row, at_most

TENTHS: Final = 10
_EVERY_S: Final = 0.05
_VALUES: Final = [
    msgspec.json.encode({"id": n, "recipient": f"user-{n}", "message": "m" * 100, "data": {"number": 7}})
    for n in range(1_000)
]


class FixedWork(NamedTuple):
    """When a fixed piece of work was done, and what CPU it took: how fast the machine was just then."""

    at: float
    cpu_s: float


async def measure(env: Mapping[str, str], count: int, console: Console) -> list[Row]:
    fixed: list[FixedWork] = []
    async with asyncio.TaskGroup() as tasks:
        repeating = tasks.create_task(_repeat(fixed))
        samples = await run("lane", env, count)
        repeating.cancel()
    tenth = count // TENTHS
    first, last = _cpu_us(samples, 0, tenth), _cpu_us(samples, count - tenth, count)
    fixed_first, fixed_last = _fixed_us(fixed, samples, 0, tenth), _fixed_us(fixed, samples, count - tenth, count)
    lanes, machines = last / first, fixed_last / fixed_first
    settled, end = _at(samples, 2 * tenth).resident / 2**20, samples[-1].resident / 2**20
    console.print(f"  CPU {first:.1f} → {last:.1f} µs each, resident {settled:.0f} → {end:.0f} MiB")
    console.print(f"  CPU of a fixed piece of work meanwhile: {fixed_first:.0f} → {fixed_last:.0f} µs")
    return [
        Row(f"drift: CPU in the first {tenth:,}", first, "µs/notification"),
        Row(f"drift: CPU in the last {tenth:,}", last, "µs/notification"),
        at_most("drift: change of CPU", abs(lanes - 1) * 100, 15, "%"),
        Row("drift: change of CPU of a fixed piece of work beside it", (machines - 1) * 100, "%"),
        Row("drift: change of CPU against that of the fixed piece of work", (lanes / machines - 1) * 100, "%"),
        Row(f"drift: resident after {2 * tenth:,}", settled, "MiB"),
        at_most("drift: growth of resident memory until the end", (end / settled - 1) * 100, 10, "%"),
    ]


def _cpu_us(samples: Sequence[Sample], start: int, end: int) -> float:
    since, until = _at(samples, start), _at(samples, end)
    return (until.cpu_s - since.cpu_s) / (until.stored - since.stored) * 1e6


def _fixed_us(fixed: Sequence[FixedWork], samples: Sequence[Sample], start: int, end: int) -> float:
    since, until = _at(samples, start).at, _at(samples, end).at
    return mean(one.cpu_s for one in fixed if since <= one.at <= until) * 1e6


async def _repeat(fixed: list[FixedWork]) -> None:
    """Decode the same records again and again, about a millisecond of work each time, and note what it took."""
    while True:
        began = time.thread_time()
        for value in _VALUES:
            msgspec.json.decode(value)
        fixed.append(FixedWork(time.perf_counter(), time.thread_time() - began))
        await asyncio.sleep(_EVERY_S)


def _at(samples: Sequence[Sample], stored: int) -> Sample:
    return next(sample for sample in samples if sample.stored >= stored)
