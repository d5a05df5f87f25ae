"""What a notification costs that is delivered to a socket and acknowledged: CPU of the server, arms in turn.

Records are written to the mailbox as a lane writes them. What is under way is bounded, as credit bounds it, and every
notification is accounted for: received once, in order, and acknowledged on `receipts` once.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any, Final

from aiokafka import TopicPartition
from rich.console import Console

from clarion.broker import clients
from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.contracts.records import receipts
from clarion.contracts.records.deliveries import Addressed
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.bench.gateway.arms import ARMS, Arm, Lost, connected, counted, serving, watch
from tests.bench.gateway.clients import Board, Count, user
from tests.bench.gateway.items import item, packed
from tests.bench.stream.throughput import own_lane
from tests.report import Row, at_least, at_most

ROUNDS: Final = 3
SOCKETS: Final = 1_000
UNDER_WAY: Final = 8 * SOCKETS  # of a credit of 64 each
_TOGETHER: Final = 10  # items a frame where several are ready at once
_WITHIN_S: Final = 300.0
_POLL_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Trial:
    arm: str
    per_frame: int
    per_second: float
    cpu_us: float
    kernel_us: float  # of these


async def measure(env: Mapping[str, str], count: int, console: Console) -> tuple[list[Row], float]:
    """And how many a second the gateway delivered at most, one a frame."""
    trials: list[Trial] = []
    for per_frame in (1, _TOGETHER):
        for _ in range(ROUNDS):
            for arm in ARMS:  # interleaved: what the machine does meanwhile, it does to all
                trial = await _run(arm, env, count, per_frame)
                console.print(
                    f"  {arm:8} {per_frame:2} a frame  {trial.per_second:8,.0f}/s  {trial.cpu_us:6.1f} µs CPU each, "
                    f"{trial.kernel_us:.1f} of them in the kernel"
                )
                trials.append(trial)
    fastest = max(t.per_second for t in trials if (t.arm, t.per_frame) == ("gateway", 1))
    return _rows(trials), fastest


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


async def _run(arm: str, env: Mapping[str, str], count: int, per_frame: int) -> Trial:
    async with own_lane(env) as own, serving(arm, own) as server:
        settings = Settings.from_env(own)
        records = list(packed(items(count, per_frame)))
        async with connected(server, SOCKETS, own) as board:
            before, began = server.cpu(), time.perf_counter()
            await _send(settings, server, board, records)
            await counted(server, board, Count.RECEIVED, count, _WITHIN_S)
            seconds = time.perf_counter() - began
            await _account(settings, board, {id_ for _, ids in records for id_ in ids})
            used = server.cpu().since(before)
            return Trial(arm, per_frame, count / seconds, used.all_s / count * 1e6, used.kernel_s / count * 1e6)


def items(count: int, per_frame: int = 1, *, after: int = 0) -> Iterator[Addressed]:
    """To one user after the other; the ordinals of each count from `after` + 1."""
    ordinals = [after] * SOCKETS
    for n in range(count):
        number = n // per_frame % SOCKETS
        ordinals[number] += 1
        yield item(user(number), Lane.NORMAL, ordinals[number])


async def _send(settings: Settings, server: Arm, board: Board, records: list[tuple[bytes, list[str]]]) -> None:
    topic = Names(settings.prefix).deliveries_bulk
    producer = clients.producer(settings, linger_ms=2)
    await producer.start()
    sent: list[Any] = []
    try:
        async with asyncio.timeout(_WITHIN_S):
            for value, _ in records:
                while len(sent) * limits.ITEMS_PER_RECORD - board[Count.RECEIVED] > UNDER_WAY:
                    watch(server.process)
                    await asyncio.sleep(_POLL_S)
                sent.append(await producer.send(topic, value, partition=server.mailbox))
            await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def _account(settings: Settings, board: Board, ids: set[str]) -> None:
    """Read the receipts, until there is one for each id. Raises Lost."""
    topic = Names(settings.prefix).receipts
    consumer: Any = clients.mailbox_consumer(settings)
    await consumer.start()
    seen: list[str] = []
    try:
        consumer.assign([TopicPartition(topic, n) for n in range(settings.partitions_lane)])
        await consumer.seek_to_beginning()
        async with asyncio.timeout(_WITHIN_S):
            while len(seen) < len(ids):
                fetched: Any = await consumer.getmany(timeout_ms=100)
                for records in fetched.values():
                    for record in records:
                        seen += receipts.decode(record.value).ids
    except TimeoutError as error:
        raise Lost(f"{len(seen):,} of {len(ids):,} were acknowledged") from error
    finally:
        await consumer.stop()
    repeated, skipped = board[Count.REPEATED], board[Count.SKIPPED]
    if set(seen) != ids or len(seen) != len(ids) or repeated or skipped or board[Count.RECEIVED] != len(ids):
        raise Lost(f"{len(set(seen) & ids):,} of {len(ids):,} acknowledged, {repeated} repeated, {skipped} skipped")
