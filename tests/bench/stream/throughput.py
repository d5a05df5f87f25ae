"""Notifications a second and CPU each: a lane, a bare aiokafka loop and stock Faust, doing the same work in turn."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from statistics import mean
from typing import Final

import psutil
from rich.console import Console

from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from tests.bench.stream.load import Traced, fill
from tests.own_settings import own_environment
from tests.report import Row, at_least, at_most
from tests.subprocesses import child

ROUNDS: Final = 2
WITHIN_S: Final = 300.0
_POLL_S: Final = 0.05
ARMS: Final = {
    "lane": ["-m", "clarion.cli", "stream", "--role", "lane", "--lane", "low"],
    "bare loop": ["-m", "tests.bench.stream.bare_loop"],
    "stock Faust": ["-m", "tests.bench.stream.stock_faust"],
}


@dataclass(frozen=True, slots=True)
class Trial:
    arm: str
    per_second: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Sample:
    """How far an arm was, when, and what it had used by then."""

    stored: int
    at: float
    cpu_s: float
    resident: int


async def measure(env: Mapping[str, str], count: int, console: Console) -> list[Trial]:
    trials: list[Trial] = []
    await run("lane", env, count // 4)  # counts nowhere: the first arm would have the servers cold, alone
    for _ in range(ROUNDS):
        for arm in ARMS:  # interleaved: what the machine does meanwhile, it does to all
            # stock Faust would take minutes for what the others do in seconds
            samples = await run(arm, env, count // 4 if arm == "stock Faust" else count)
            first, last = samples[0], samples[-1]
            done = last.stored - first.stored
            trial = Trial(arm, done / (last.at - first.at), (last.cpu_s - first.cpu_s) / done * 1e6)
            console.print(f"  {arm:12} {trial.per_second:8,.0f}/s  {trial.cpu_us:6.1f} µs CPU each")
            trials.append(trial)
    return trials


def rows(trials: Sequence[Trial]) -> list[Row]:
    found: list[Row] = []
    for arm in ARMS:
        of_arm = [trial for trial in trials if trial.arm == arm]
        found.append(Row(arm, mean(t.per_second for t in of_arm), "notifications/s"))
        found.append(Row(f"{arm}: CPU", mean(t.cpu_us for t in of_arm), "µs/notification"))
    for other, bar in (("stock Faust", 6.0), ("bare loop", 1.5)):
        ratios = [
            lane.per_second / them.per_second
            for lane, them in zip(_of("lane", trials), _of(other, trials), strict=True)
        ]
        found.append(at_least(f"lane / {other}, the lesser of {ROUNDS} rounds", min(ratios), bar))
    ratios = [
        lane.cpu_us / bare.cpu_us for lane, bare in zip(_of("lane", trials), _of("bare loop", trials), strict=True)
    ]
    found.append(at_most(f"lane / bare loop: CPU, the greater of {ROUNDS} rounds", max(ratios), 0.8))
    return found


def _of(arm: str, trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.arm == arm]


async def run(arm: str, env: Mapping[str, str], count: int, *, traced: Traced = Traced.NONE) -> list[Sample]:
    """Fill a lane of its own, half of the users online, then start the arm and watch it from its first window on."""
    async with own_lane(env) as own:
        settings = Settings.from_env(own)
        await fill(settings, count, traced=traced)
        connection = database.connect(settings)
        stored = notifications.collection(connection)
        async with child(ARMS[arm], own) as process:
            samples: list[Sample] = []
            async with asyncio.timeout(WITHIN_S):
                while not samples or samples[-1].stored < count:
                    if process.status() == psutil.STATUS_ZOMBIE:
                        raise RuntimeError(f"{arm} has ended before its work was done")
                    if found := await stored.estimated_document_count():
                        used = process.cpu_times()
                        resident = process.memory_info().rss
                        samples.append(Sample(found, time.perf_counter(), used.user + used.system, resident))
                    await asyncio.sleep(_POLL_S)
        database.close(connection)
        return samples


def own_lane(env: Mapping[str, str]) -> AbstractAsyncContextManager[dict[str, str]]:
    """Topics and a database of their own, for processes that limit no recipient."""
    return own_environment({**env, "CLARION_ADMIN_PORT": "0", "CLARION_RECIPIENT_RATE": "0"})
