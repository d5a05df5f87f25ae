"""What each process of a running stack uses, and what the system says of lag and losses, looked at again and again."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import psutil

from clarion.operating import processes, samples
from clarion.operating.processes import ProcessView
from clarion.settings import Settings
from deploy.local.stack import Stack

EVERY_S: Final = 10.0
# What counts the notifications that pass a process, by its role.
PASSED: Final = {
    "ingest": "clarion_accepted_total",
    "urgent": "clarion_stored_total",
    "high": "clarion_stored_total",
    "normal": "clarion_stored_total",
    "low": "clarion_stored_total",
    "receipts": "clarion_folded_total",
    "gateway": "clarion_pushed_total",
}
KEY_BYTES: Final = 200  # of a key that ingest remembers: services/ingest/used_keys.py says 20 MB for 100,000


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process uses at a moment. `tasks` is None for the servers, which have no event loop of ours.

    `kept` is what it may keep by design, up to a bound, of the bytes that are `resident`; `passed` counts the
    notifications that passed it.
    """

    at: float
    resident: float
    files: int
    threads: int
    tasks: int | None = None
    kept: float = 0.0
    passed: float = 0.0


@dataclass(slots=True)
class Watch:
    """The usage of every process, by its name, in the order of the looks; and what the observer says."""

    stack: Stack
    settings: Settings
    usage: defaultdict[str, list[Usage]] = field(default_factory=lambda: defaultdict[str, list[Usage]](list))
    lag: float = 0.0  # records, at the latest look, of the topic with most of them
    lag_most: float = 0.0
    unaccounted: float = 0.0  # the most at any look
    views: Mapping[str, ProcessView] = field(default_factory=dict[str, ProcessView])

    async def run(self, say: Callable[[], None]) -> None:
        """Look until cancelled, and call `say` after each look."""
        while True:
            began = time.monotonic()
            for name, usage in (await self.look()).items():
                self.usage[name].append(usage)
            say()
            await asyncio.sleep(max(0.0, began + EVERY_S - time.monotonic()))

    async def look(self) -> dict[str, Usage]:
        """Return what each process uses now. Raise when one of ours has ended or does not answer."""
        now = time.monotonic()
        pids = {name: child.pid for name, child in self.stack.children.items()}
        gone = [name for name, pid in pids.items() if pid is None]
        if gone or any(child.restarts for child in self.stack.children.values()):
            raise RuntimeError(f"a process has ended by itself: {', '.join(gone) or list(self.stack.notes)[-3:]}")
        # before they are asked, since each question is a connection for a moment
        used = {name: _used(now, pid) for name, pid in pids.items() if pid is not None}
        self.views = {view.name: view for view in await processes.ask_all(self.settings)}
        self._heard(self.views["observer"])
        return {name: _with(one, self.views[name]) if name in self.views else one for name, one in used.items()}

    def _heard(self, observer: ProcessView) -> None:
        lags = samples.by_label(observer.samples, "clarion_lag_records", "lane").values()
        self.lag = max(lags, default=0.0)
        self.lag_most = max(self.lag, self.lag_most)
        self.unaccounted = max(self.unaccounted, samples.total(observer.samples, "clarion_unaccounted") or 0.0)

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of a counter over all processes, as of the latest look."""
        return sum(samples.total(view.samples, name, **labels) or 0.0 for view in self.views.values())


def _used(now: float, pid: int) -> Usage:
    process = psutil.Process(pid)
    with process.oneshot():
        return Usage(now, process.memory_info().rss, process.num_fds(), process.num_threads())


def _with(usage: Usage, view: ProcessView) -> Usage:
    """Return the usage with what the process itself says."""
    if view.errors:
        raise RuntimeError(f"{view.name} does not answer: {'; '.join(view.errors)}")
    kept = (samples.total(view.samples, "clarion_remembered_keys") or 0.0) * KEY_BYTES
    passed = samples.total(view.samples, PASSED.get(view.role, "")) or 0.0
    tasks = int(view.figures["tasks"])
    return Usage(usage.at, usage.resident, usage.files, usage.threads, tasks, kept, passed)
