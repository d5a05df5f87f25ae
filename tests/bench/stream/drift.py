"""Whether a lane's cost or memory grows with what it has done: the last tenth of many against the first."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console

from tests.bench.stream.throughput import Sample, run
from tests.report import Row, at_most

TENTHS: Final = 10


async def measure(env: Mapping[str, str], count: int, console: Console) -> list[Row]:
    samples = await run("lane", env, count)
    tenth = count // TENTHS
    first, last = _cpu_us(samples, 0, tenth), _cpu_us(samples, count - tenth, count)
    settled, end = _at(samples, 2 * tenth).resident / 2**20, samples[-1].resident / 2**20
    console.print(f"  CPU {first:.1f} → {last:.1f} µs each, resident {settled:.0f} → {end:.0f} MiB")
    return [
        Row(f"drift: CPU in the first {tenth:,}", first, "µs/notification"),
        Row(f"drift: CPU in the last {tenth:,}", last, "µs/notification"),
        at_most("drift: change of CPU", abs(last / first - 1) * 100, 15, "%"),
        Row(f"drift: resident after {2 * tenth:,}", settled, "MiB"),
        at_most("drift: growth of resident memory until the end", (end / settled - 1) * 100, 10, "%"),
    ]


def _cpu_us(samples: Sequence[Sample], start: int, end: int) -> float:
    since, until = _at(samples, start), _at(samples, end)
    return (until.cpu_s - since.cpu_s) / (until.stored - since.stored) * 1e6


def _at(samples: Sequence[Sample], stored: int) -> Sample:
    return next(sample for sample in samples if sample.stored >= stored)
