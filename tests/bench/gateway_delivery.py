"""What a notification costs that is delivered to a socket and acknowledged: CPU of the server, arms in turn.

Records are written to the mailbox as a lane writes them. What is under way is bounded, as credit bounds it, and every
notification is accounted for: received once, in order, and acknowledged on `receipts` once.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import mean
from typing import Any, Final

import msgspec
from aiokafka import TopicPartition
from rich.console import Console

from clarion.broker import clients
from clarion.contracts import deliveries, limits, receipts
from clarion.contracts.deliveries import Addressed, Items
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.notification import Notification
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.bench.gateway_arms import ARMS, Arm, Lost, connected, serving, watch
from tests.bench.gateway_clients import Board, Count, user
from tests.bench.throughput import own_lane
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


async def measure(env: Mapping[str, str], count: int, console: Console) -> list[Row]:
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
    return _rows(trials)


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
        records = list(_records(count, per_frame))
        async with connected(server, SOCKETS, own) as board:
            before, began = server.cpu(), time.perf_counter()
            await _send(settings, server, board, records)
            await _until_received(server, board, count)
            seconds = time.perf_counter() - began
            await _account(settings, board, {id_ for _, ids in records for id_ in ids})
            used = server.cpu().since(before)
            return Trial(arm, per_frame, count / seconds, used.all_s / count * 1e6, used.kernel_s / count * 1e6)


def _records(count: int, per_frame: int) -> Iterator[tuple[bytes, list[str]]]:
    """Delivery records as a lane packs them, with the ids in each. A user's ordinals count from 1."""
    now = datetime.now(UTC)
    ordinals = [0] * SOCKETS
    for start in range(0, count, limits.ITEMS_PER_RECORD):
        items: list[Addressed] = []
        for n in range(start, min(start + limits.ITEMS_PER_RECORD, count)):
            number = n // per_frame % SOCKETS
            ordinals[number] += 1
            item = Notification(
                id=new_id(),
                type="bench.item",
                message="A notification of an ordinary length, as one might be",
                recipient=user(number),
                sender="bench",
                priority=Lane.NORMAL,
                data={"number": 7, "url": "https://example.org/some/where"},
                created_at=now,
            )
            assert item.id is not None
            body = msgspec.Raw(deliveries.body(item, Lane.NORMAL, ordinals[number]))
            items.append(Addressed(item.recipient, Lane.NORMAL, (0, ordinals[number]), item.id, body))
        yield deliveries.encode(Items(items)), [item.id for item in items]


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


async def _until_received(server: Arm, board: Board, count: int) -> None:
    try:
        async with asyncio.timeout(_WITHIN_S):
            while board[Count.RECEIVED] < count:
                watch(server.process)
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise Lost(f"{board[Count.RECEIVED]:,} of {count:,} were received") from error


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
