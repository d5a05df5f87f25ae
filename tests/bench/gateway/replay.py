"""Replay of what waits in the store, against bare cursors over the same; and what it does to who is live.

Nobody folds receipts here, so the same notifications wait again for whoever connects next.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from statistics import median
from typing import Final

from rich.console import Console

from clarion.contracts.lanes import Lane
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.driver.database import LoopCollection
from clarion.store.notifications import State
from tests.bench.gateway import bare_reader
from tests.bench.gateway.arms import PER_SECOND, Arm, Lost, connecting, counted, serving
from tests.bench.gateway.clients import Board, Count, user
from tests.bench.gateway.items import insert, item
from tests.bench.gateway.probe import Arrivals, Probe, probing
from tests.bench.stream.throughput import own_lane
from tests.report import Row, at_least

USERS: Final = 200
WAITING: Final = 2_000  # of each
CURSORS: Final = 8  # at once
ROUNDS: Final = 3
PROBES: Final = 1_000  # a round
_INSERTED: Final = 100  # of each, at a time
_WITHIN_S: Final = 120.0


async def measure(env: Mapping[str, str], console: Console) -> list[Row]:
    """Rates are medians of the rounds; the waits of all rounds are taken together."""
    one, several, rates, besides = list[float](), list[float](), list[float](), list[float]()
    quiet, during = list[list[float]](), list[list[float]]()
    async with (
        own_lane(env) as own,
        serving("gateway", own) as server,
        _stored(Settings.from_env(own)) as waiting,
        probing(Settings.from_env(own), server) as probe,
        bare_reader.reading(own, Lane.NORMAL, server.mailbox) as bare,
    ):
        for _ in range(ROUNDS):
            one.append(await _read(waiting, 1))
            several.append(await _read(waiting, CURSORS))
            rates.append(await _replay(server, own))
            quiet += await probe.waits(Lane.NORMAL, PROBES, bare)
            waits, beside = await _live_during(server, own, probe, bare)
            during, besides = during + waits, [*besides, beside]
            console.print(
                f"  replay {rates[-1]:,.0f}/s, {beside:,.0f} beside what is live; "
                f"cursors {one[-1]:,.0f}, {several[-1]:,.0f}/s"
            )
    rate = median(rates)
    return [
        Row("a bare cursor, one user after the other", median(one), "notifications/s"),
        Row(f"{CURSORS} bare cursors at once", median(several), "notifications/s"),
        Row(f"replay to {USERS} users, {WAITING:,} each", rate, "notifications/s"),
        at_least("replay / a bare cursor", rate / median(one), 0.5),
        at_least(f"replay / {CURSORS} bare cursors at once", rate / median(several), 0.5),
        Row("replay beside live deliveries", median(besides), "notifications/s"),
        *bare_reader.compared("live", "during replay", quiet, during, 1.5, console),
    ]


@asynccontextmanager
async def _stored(settings: Settings) -> AsyncGenerator[LoopCollection]:
    """What waits for the users, by the client with which a gateway reads it."""
    connection, reads = database.connect(settings), database.connect_reads(settings)
    try:
        for first in range(1, WAITING, _INSERTED):
            each = range(first, first + _INSERTED)
            made = [item(user(n), Lane.NORMAL, ordinal) for ordinal in each for n in range(USERS)]
            await insert(notifications.collection(connection), made)
        yield notifications.waiting(reads)
    finally:
        database.close(connection)
        await database.close_reads(reads)


async def _read(stored: LoopCollection, at_once: int) -> float:
    """What each user has, read by a cursor; so many of them at once."""
    free = asyncio.Semaphore(at_once)

    async def read(name: str) -> int:
        async with free:
            waiting = stored.find({"recipient": name, "state": State.PENDING}, ["lane", "ord", "body"])
            return len(await waiting.sort([("lane", 1), ("ord", 1)]).to_list(None))

    began = time.perf_counter()
    found = await asyncio.gather(*(read(user(n)) for n in range(USERS)))
    seconds = time.perf_counter() - began
    if sum(found) != USERS * WAITING:
        raise Lost(f"{sum(found):,} of {USERS * WAITING:,} are stored")
    return sum(found) / seconds


async def _replay(server: Arm, env: Mapping[str, str]) -> float:
    """Items a second, from the first to the last, to users who come at the pace of connects."""
    async with _begun(server, env) as board:
        return USERS * WAITING / await _ended(server, board)


async def _live_during(
    server: Arm, env: Mapping[str, str], probe: Probe, bare: Arrivals
) -> tuple[list[list[float]], float]:
    """The waits of what is live once all are here, and items a second beside it."""
    waits: list[list[float]] = []
    async with _begun(server, env) as board, asyncio.TaskGroup() as tasks:
        replay = tasks.create_task(_ended(server, board))
        await counted(server, board, Count.GREETED, USERS, _WITHIN_S)
        while not replay.done():
            waits += await probe.waits(Lane.NORMAL, 1, bare)
    return waits, USERS * WAITING / replay.result()


@asynccontextmanager
async def _begun(server: Arm, env: Mapping[str, str]) -> AsyncGenerator[Board]:
    async with connecting(server, USERS, env, PER_SECOND) as board:
        await counted(server, board, Count.RECEIVED, 1, _WITHIN_S)
        yield board


async def _ended(server: Arm, board: Board) -> float:
    """The seconds until all has come, once."""
    seconds = await counted(server, board, Count.RECEIVED, USERS * WAITING, _WITHIN_S)
    if board[Count.REPEATED] or board[Count.SKIPPED]:
        raise Lost(f"{board[Count.REPEATED]} repeated, {board[Count.SKIPPED]} skipped")
    return seconds
