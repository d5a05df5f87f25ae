"""What a system's processes use: processor time and memory, the brokers and databases also apart."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import psutil

from deploy.local.child import Child

SAMPLE_EVERY_S: Final = 1.0
_MIB: Final = 1024 * 1024

Amounts = Mapping[str, float]  # by process


@dataclass(frozen=True, slots=True)
class Use:
    """An amount of what a system uses: of its own processes, and of the brokers and databases that it needs."""

    own: float
    servers: float

    @property
    def total(self) -> float:
        """Return both together."""
        return self.own + self.servers


def split(amounts: Amounts, servers: Collection[str]) -> Use:
    """Return the sums of both kinds of processes."""
    return Use(
        sum(amount for name, amount in amounts.items() if name not in servers),
        sum(amount for name, amount in amounts.items() if name in servers),
    )


def cpu_s(children: Mapping[str, Child]) -> dict[str, float]:
    """Return the processor time that each process has used since it began, its children's with it."""
    return {name: sum(map(_cpu_s, _family(child))) for name, child in children.items()}


def memory_mib(children: Mapping[str, Child]) -> dict[str, float]:
    """Return the memory of each process, its children's with it, in MiB.

    It is the proportional set size: a page that several processes share counts once in their sum, not once in each.
    """
    return {name: sum(map(_memory_mib, _family(child))) for name, child in children.items()}


def _family(child: Child) -> list[psutil.Process]:
    if child.pid is None:
        return []
    try:
        process = psutil.Process(child.pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _memory_mib(process: psutil.Process) -> float:
    try:
        return process.memory_full_info().pss / _MIB
    except psutil.NoSuchProcess:
        return 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The memory of a system at a time, in seconds from when it was first looked at, and its connections to MongoDB."""

    at: float
    memory: Use
    connections: int


@dataclass(slots=True)
class Samples:
    """What was looked at again and again."""

    taken: list[Sample] = field(default_factory=list[Sample])

    def since(self, at: float) -> list[Sample]:
        """Return those that were taken since a time."""
        return [one for one in self.taken if one.at >= at]

    @property
    def last(self) -> Sample:
        """Return the latest one."""
        return self.taken[-1]


@asynccontextmanager
async def sampled(
    children: Mapping[str, Child], servers: Collection[str], connections: Callable[[], int]
) -> AsyncGenerator[Samples]:
    """Look each second while the block runs."""
    samples, began = Samples(), time.monotonic()

    async def look() -> None:
        while True:
            memory = await asyncio.to_thread(lambda: split(memory_mib(children), servers))
            count = await asyncio.to_thread(connections)
            samples.taken.append(Sample(time.monotonic() - began, memory, count))
            await asyncio.sleep(SAMPLE_EVERY_S)

    looking = asyncio.create_task(look(), name="memory")
    try:
        yield samples
    finally:
        looking.cancel()
        for failure in await asyncio.gather(looking, return_exceptions=True):
            if isinstance(failure, Exception):
                raise failure
