"""What a notification costs that is delivered to a socket and acknowledged: CPU of the server, arms in turn.

Records are written to the mailbox as a lane writes them. What is under way is bounded, as credit bounds it, and every
notification is accounted for: received once, in order, and acknowledged on `receipts` once.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import mean
from typing import Any, Final

from rich.console import Console

from clarion.broker import clients
from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.contracts.records.deliveries import Addressed
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.bench.gateway.accounts import WITHIN_S, ReceiptReader, reading
from tests.bench.gateway.arms import ARMS, Arm, Cpu, connected, counted, serving, watch
from tests.bench.gateway.clients import Board, Count, user
from tests.bench.gateway.items import item, packed
from tests.bench.stream.throughput import own_lane
from tests.report import Row, at_least, at_most

ROUNDS: Final = 3
SLICES: Final = 10  # of a round
SOCKETS: Final = 1_000
UNDER_WAY: Final = 8  # for each socket, of a credit of 64
_TOGETHER: Final = 10  # items a frame where several are ready at once
_POLL_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Trial:
    arm: str
    per_frame: int
    per_second: float
    cpu_us: float
    kernel_us: float  # of these


async def measure(env: Mapping[str, str], count: int, console: Console) -> tuple[list[Row], float]:
    """And how many a second the gateway delivered in each round, one a frame: in the slowest, since the machine's pace
    may be that again.
    """
    trials: list[Trial] = []
    for per_frame in (1, _TOGETHER):
        for _ in range(ROUNDS):
            for trial in await one_round(list(ARMS), env, count, per_frame, SLICES):
                console.print(
                    f"  {trial.arm:8} {per_frame:2} a frame  {trial.per_second:8,.0f}/s  {trial.cpu_us:6.1f} µs CPU "
                    f"each, {trial.kernel_us:.1f} of them in the kernel"
                )
                trials.append(trial)
    sustained = min(t.per_second for t in trials if (t.arm, t.per_frame) == ("gateway", 1))
    return _rows(trials), sustained


def _rows(trials: list[Trial]) -> list[Row]:
    def cpu(arm: str, per_frame: int) -> list[float]:
        return [trial.cpu_us for trial in trials if (trial.arm, trial.per_frame) == (arm, per_frame)]

    rows: list[Row] = []
    for per_frame, what in ((1, "one a frame"), (_TOGETHER, f"{_TOGETHER} a frame")):
        for arm in ARMS:
            rows.append(Row(f"{what}: CPU, {arm}", mean(cpu(arm, per_frame)), "µs/notification"))
        ratios = [
            ours / theirs for ours, theirs in zip(cpu("gateway", per_frame), cpu("uvicorn", per_frame), strict=True)
        ]
        name = f"{what}: CPU, gateway / uvicorn, the greater of {ROUNDS} rounds"
        rows.append(at_most(name, max(ratios), 0.5) if per_frame == 1 else Row(name, max(ratios), "×"))
    rows.append(at_least("one a frame: notifications a core", 1e6 / mean(cpu("gateway", 1)), 25_000, "/s"))
    return rows


async def run(arm: str, env: Mapping[str, str], count: int, per_frame: int) -> Trial:
    """Deliver so many through a server of its own, and account for each."""
    (trial,) = await one_round([arm], env, count, per_frame, 1)
    return trial


async def one_round(
    arms: Sequence[str], env: Mapping[str, str], count: int, per_frame: int, slices: int
) -> list[Trial]:
    """Deliver so many through a server of each arm, in turn.

    All servers run throughout, and each delivers a slice after the other: between rounds this machine changes its pace
    by a quarter, and what it does within one it does to all arms.
    """
    async with AsyncExitStack() as exits:
        courses = [await exits.enter_async_context(_alone(arm, env)) for arm in arms]
        for n in range(slices):
            for course in courses:
                await course.deliver(count // slices, per_frame, after=n * (count // slices) // SOCKETS)
        return [course.trial(per_frame) for course in courses]


@dataclass(slots=True)
class Course:
    """A server with its clients, through which one slice after the other is delivered."""

    arm: str
    settings: Settings
    server: Arm
    board: Board
    receipts: ReceiptReader
    sockets: int
    count: int = 0
    seconds: float = 0.0
    used: Cpu = field(default_factory=lambda: Cpu(0.0, 0.0))

    async def deliver(self, count: int, per_frame: int, *, after: int) -> None:
        """Deliver so many, and account for each. Raises Lost."""
        before = self.server.cpu()
        ids = await self.push(count, per_frame, after=after)
        await self.receipts.account(ids, [self.board], self.count)
        self.used += self.server.cpu().since(before)

    async def push(self, count: int, per_frame: int, *, after: int) -> set[str]:
        """Have so many received; return their ids. Raises Lost."""
        records = list(packed(items(count, per_frame, after=after, sockets=self.sockets)))
        began = time.perf_counter()
        await self._send(records)
        self.count += count
        await counted(self.server, self.board, Count.RECEIVED, self.count, WITHIN_S)
        self.seconds += time.perf_counter() - began
        return {id_ for _, ids in records for id_ in ids}

    def trial(self, per_frame: int) -> Trial:
        used, count = self.used, self.count
        return Trial(self.arm, per_frame, count / self.seconds, used.all_s / count * 1e6, used.kernel_s / count * 1e6)

    async def _send(self, records: list[tuple[bytes, list[str]]]) -> None:
        topic, before = Names(self.settings.prefix).deliveries_bulk, self.count
        producer = clients.producer(self.settings, linger_ms=2)
        await producer.start()
        sent: list[Any] = []
        try:
            async with asyncio.timeout(WITHIN_S):
                for value, _ in records:
                    while (
                        before + len(sent) * limits.ITEMS_PER_RECORD - self.board[Count.RECEIVED]
                        > UNDER_WAY * self.sockets
                    ):
                        watch(self.server.process)
                        await asyncio.sleep(_POLL_S)
                    sent.append(await producer.send(topic, value, partition=self.server.mailbox))
                await asyncio.gather(*sent)
        finally:
            await producer.stop()


@asynccontextmanager
async def _alone(arm: str, env: Mapping[str, str]) -> AsyncGenerator[Course]:
    """A course under topics and a database of its own."""
    async with own_lane(env) as own, served(arm, own, SOCKETS) as (server, board):
        settings = Settings.from_env(own)
        async with reading(settings) as receipts:
            yield Course(arm, settings, server, board, receipts, SOCKETS)


@asynccontextmanager
async def served(arm: str, own: Mapping[str, str], sockets: int, mailbox: int = 0) -> AsyncGenerator[tuple[Arm, Board]]:
    """A server with so many clients. For `mailbox` see `serving`."""
    async with serving(arm, own, mailbox) as server, connected(server, sockets, own) as board:
        yield server, board


def items(count: int, per_frame: int = 1, *, after: int = 0, sockets: int = SOCKETS) -> Iterator[Addressed]:
    """To one user after the other; the ordinals of each count from `after` + 1."""
    ordinals = [after] * sockets
    for n in range(count):
        number = n // per_frame % sockets
        ordinals[number] += 1
        yield item(user(number), Lane.NORMAL, ordinals[number])
