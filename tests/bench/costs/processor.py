"""The processor time that each process of a stack has used, beyond what it uses while nothing happens."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

Shares = Mapping[str, float]  # of a core, by process


@dataclass(frozen=True, slots=True)
class Look:
    """What each process had used, in seconds, at a time."""

    at: float
    used: Mapping[str, float]

    def beyond(self, idle: Shares, before: "Look") -> dict[str, float]:
        """Return what each used since `before`, beyond its idle share."""
        passed = self.at - before.at
        return {name: used - before.used[name] - idle[name] * passed for name, used in self.used.items()}


class Processes:
    """The processes of a stack, by name, each with its children."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}

    def look(self) -> Look:
        """Return what each has used by now."""
        return Look(time.monotonic(), {name: self.since_start(name) for name in self._processes})

    def since_start(self, name: str) -> float:
        """Return the seconds of processor time that one process, its children with it, has used since it began."""
        process = self._processes[name]
        times = [process.cpu_times(), *(child.cpu_times() for child in process.children(recursive=True))]
        return sum(one.user + one.system for one in times)

    async def idle(self, seconds: float) -> Shares:
        """Return which share of a core each uses while nothing happens for so long."""
        before = self.look()
        await asyncio.sleep(seconds)
        after = self.look()
        return {name: (after.used[name] - used) / (after.at - before.at) for name, used in before.used.items()}

    def resident_mib(self) -> dict[str, float]:
        """Return the resident memory of each process, in MiB, without its children's."""
        return {name: process.memory_info().rss / 1024 / 1024 for name, process in self._processes.items()}
