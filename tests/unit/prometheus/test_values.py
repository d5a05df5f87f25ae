"""Both interpreters of signals give the same values of the same samples: ours, and the PromQL in a real Prometheus."""

import asyncio
import math
import random
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from clarion.rules.evaluate import evaluate
from clarion.rules.history import History, Sample
from clarion.rules.promql import promql
from clarion.rules.signals import (
    OURS,
    Added,
    Changes,
    Combined,
    Distance,
    Either,
    Extreme,
    Provided,
    Quantile,
    Rate,
    Ratio,
    Remainder,
    Series,
    Signal,
    Slope,
    Value,
    highest,
    selected,
    total,
)
from clarion.rules.troubles import TROUBLES
from tests.subprocesses import free_port

pytestmark = pytest.mark.prometheus

BEGAN: Final = 1_700_000_000.0
STEPS: Final = 60
STARTED_WITHIN_S: Final = 30.0

N, M, LAG, T = Series("n_total"), Series("m_total"), Series("lag"), Series("t")
SIGNALS: Final[list[Signal]] = [
    Value(LAG),
    Value(Series("lag", {"lane": "~l.*"})),
    Rate(N, 97),
    Rate(Series("n_total", {"lane": "low"}), 303),
    Added(N, 211, ("lane",)),
    Slope(LAG, 151),
    Extreme("min", LAG, 73),
    Extreme("max", LAG, 73, ago_s=101),
    Changes(LAG, 191),
    Quantile(0.5, T, 203),
    Quantile(0.99, T, 203, away=("instance", "lane")),
    total(Rate(N, 97)),
    total(Rate(N, 97), "lane"),
    highest(Slope(LAG, 151)),
    Combined("min", Value(LAG), ("lane",)),
    Ratio(total(Rate(N, 97)), total(Rate(M, 97))),
    Remainder(Ratio(Rate(N, 97), Rate(M, 97))),
    Distance(Value(LAG)),
    Either((Value(Series("lag", {"lane": "low"})), Rate(N, 97))),
    Provided(Rate(N, 97), Value(Series("lag", {"lane": "high"}))),
]


class Gapless(History):
    """A history in which what is missing for a moment has not ended, as in Prometheus' blocks of old samples."""

    def _end(self, at: float) -> None:
        pass


class World:
    """Made-up series of three processes and two lanes, at moments that are never quite regular."""

    def __init__(self, seed: int, signals: list[Signal]) -> None:
        self._random: Final = random.Random(seed)
        self.times: Final = [BEGAN + 10 * step + round(self._random.uniform(0, 3), 3) for step in range(STEPS)]
        names = {series.name for signal in signals for series, _ in selected(signal)}
        self.courses: Final = {
            (name, labels): self._course(name)
            for name in sorted(names)
            for labels in self._labels(name)
            if self._random.random() < 0.9
        }

    def _labels(self, name: str) -> list[tuple[tuple[str, str], ...]]:
        if name == OURS.name:
            return [(("instance", i),) for i in "abc"]
        each = [(("instance", i), ("lane", lane)) for i in "abc" for lane in ("low", "high")]
        if not name.endswith("_bucket"):
            return each
        return [(*labels, ("le", le)) for labels in each for le in ("0.1", "0.5", "1.0", "+Inf")]

    def _course(self, name: str) -> list[float | None]:
        first, last = sorted(self._random.sample(range(STEPS), 2))
        if self._random.random() < 0.7:
            first, last = 0, STEPS - 1
        now = self._random.uniform(5_000, 9_000) if self._random.random() < 0.5 else 0.0
        values = list[float | None]()
        for step in range(STEPS):
            if name.endswith(("_total", "_bucket", "_count", "_sum")):
                now += self._random.choice([0, 0, 1, 7, 50])
                now = 0.0 if self._random.random() < 0.02 else now
            else:
                now = self._random.choice([now, round(self._random.uniform(-50, 50), 2)])
            is_there = first <= step <= last and self._random.random() > 0.03
            values.append(now if is_there else None)
        return values

    def text(self) -> str:
        """The samples in the form of OpenMetrics, which promtool makes blocks of."""
        lines = [
            f"{name}{{{','.join(f'{k}={quote(v)}' for k, v in labels)}}} {value!r} {time:.3f}"
            for (name, labels), course in self.courses.items()
            for time, value in zip(self.times, course, strict=True)
            if value is not None
        ]
        return "\n".join([*lines, "# EOF", ""])

    def samples(self, step: int) -> list[Sample]:
        """The same samples as the monitor takes them at a step."""
        return [
            Sample(name, dict(labels), value)
            for (name, labels), course in self.courses.items()
            if (value := course[step]) is not None
        ]


def quote(value: str) -> str:
    return f'"{value}"'


@asynccontextmanager
async def prometheus(folder: Path, text: str) -> AsyncGenerator[httpx2.AsyncClient]:
    """A Prometheus that has these samples, and scrapes nothing."""
    promtool, server = shutil.which("promtool"), shutil.which("prometheus")
    if promtool is None or server is None:
        pytest.skip("no prometheus here: apt-get install prometheus")
    (folder / "samples").write_text(text)
    (folder / "none.yml").write_text("scrape_configs: []\n")
    made = await asyncio.create_subprocess_exec(
        promtool, "tsdb", "create-blocks-from", "openmetrics", str(folder / "samples"), str(folder / "data"),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await made.wait() == 0
    port = free_port()
    running = await asyncio.create_subprocess_exec(
        server, f"--config.file={folder / 'none.yml'}", f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}",
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as http:
            async with asyncio.timeout(STARTED_WITHIN_S):
                while not await _is_ready(http):
                    await asyncio.sleep(0.05)
            yield http
    finally:
        running.kill()
        await running.wait()


async def _is_ready(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/-/ready")).is_success
    except httpx2.TransportError:
        return False


async def asked(http: httpx2.AsyncClient, signal: Signal, at: float) -> dict[tuple[tuple[str, str], ...], float]:
    answer: Any = (await http.post("/api/v1/query", data={"query": promql(signal), "time": f"{at:.3f}"})).json()
    assert answer["status"] == "success", answer
    return {
        tuple(sorted((k, v) for k, v in one["metric"].items() if k != "__name__")): float(one["value"][1])
        for one in answer["data"]["result"]
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_signals_have_the_values_that_prometheus_gives_them(tmp_path: Path, seed: int) -> None:
    world, ours = World(seed, SIGNALS), Gapless(SIGNALS)
    wrong: list[str] = []
    async with prometheus(tmp_path, world.text()) as http:
        for step, time in enumerate(world.times):
            ours.add(time, world.samples(step))
            at = time + 1.5
            for signal in SIGNALS if step % 4 == 0 else ():
                theirs = await asked(http, signal, at)
                mine = evaluate(signal, ours, at)
                if not same(mine, theirs):
                    wrong.append(f"{promql(signal)} at {at}: {mine} and {theirs}")
    assert wrong == []


def same(mine: dict[tuple[tuple[str, str], ...], float], theirs: dict[tuple[tuple[str, str], ...], float]) -> bool:
    return mine.keys() == theirs.keys() and all(
        (math.isnan(value) and math.isnan(theirs[labels])) or value == pytest.approx(theirs[labels], rel=1e-6, abs=1e-6)
        for labels, value in mine.items()
    )


async def test_prometheus_reads_every_signal_of_every_rule(tmp_path: Path) -> None:
    signals = [signal for rule in TROUBLES for signal in (rule.signal, *([rule.volume.of] if rule.volume else []))]
    async with prometheus(tmp_path, World(1, [Value(LAG)]).text()) as http:
        for signal in signals:
            assert await asked(http, signal, BEGAN) == {}
