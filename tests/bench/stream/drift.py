"""Whether a lane's cost or memory grows with what it has done: the last tenth of many against the first.

A virtual machine gets slower under load: in one run the lane cost 50 % more at the end, and a fixed piece of work in
the process of the bench 55 % more. Both changes are shown, and the change of the lane against that of the machine.
"""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Final

from rich.console import Console

from tests.bench.stream.throughput import Sample, run
from tests.report import Row, at_most

TENTHS: Final = 10


async def measure(env: Mapping[str, str], count: int, console: Console) -> list[Row]:
    samples = await run("lane", env, count)
    tenth = count // TENTHS
    first, last = _cpu_us(samples, 0, tenth), _cpu_us(samples, count - tenth, count)
    fixed_first, fixed_last = _fixed_us(samples, 0, tenth), _fixed_us(samples, count - tenth, count)
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


def _fixed_us(samples: Sequence[Sample], start: int, end: int) -> float:
    return mean(sample.fixed_s for sample in samples if start <= sample.stored < end) * 1e6


def _at(samples: Sequence[Sample], stored: int) -> Sample:
    return next(sample for sample in samples if sample.stored >= stored)
