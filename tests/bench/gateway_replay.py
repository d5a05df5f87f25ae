"""Replay of what waits in the store, against a bare cursor over the same; and what it does to who is live."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from rich.console import Console

from clarion.contracts.lanes import Lane
from clarion.settings import Settings
from clarion.store import database, notifications
from clarion.store.notifications import State
from tests.bench.gateway_arms import PER_SECOND, Lost, connecting, counted, serving
from tests.bench.gateway_clients import Count, user
from tests.bench.gateway_items import insert, item
from tests.bench.gateway_probe import probing
from tests.bench.throughput import own_lane
from tests.report import Row, at_least, at_most

USERS: Final = 200
WAITING: Final = 500  # of each
PROBES: Final = 300
CURSORS: Final = 8  # at once
_WITHIN_S: Final = 120.0


async def measure(env: Mapping[str, str], console: Console) -> list[Row]:
    async with own_lane(env) as own, serving("gateway", own) as server:
        settings = Settings.from_env(own)
        connection = database.connect(settings)
        stored = notifications.collection(connection)
        await insert(stored, [item(user(n), Lane.NORMAL, k + 1) for k in range(WAITING) for n in range(USERS)])
        bare = await _bare(stored, CURSORS)
        database.close(connection)
        async with probing(settings, server) as probe:
            quiet = await probe.p99_ms(Lane.NORMAL, PROBES)
            async with connecting(server, USERS, own, PER_SECOND) as board:
                await counted(server, board, Count.RECEIVED, 1, _WITHIN_S)
                live = asyncio.create_task(probe.p99_ms(Lane.NORMAL, PROBES))
                rate = USERS * WAITING / await counted(server, board, Count.RECEIVED, USERS * WAITING, _WITHIN_S)
                if board[Count.REPEATED] or board[Count.SKIPPED]:
                    raise Lost(f"{board[Count.REPEATED]} repeated, {board[Count.SKIPPED]} skipped")
                during = await live
    console.print(f"  replay {rate:,.0f}/s, a bare cursor {bare:,.0f}/s; live p99 {quiet:.1f} → {during:.1f} ms")
    return [
        Row("a bare cursor", bare, "notifications/s"),
        Row(f"replay to {USERS} users, {WAITING} each", rate, "notifications/s"),
        at_least("replay / a bare cursor", rate / bare, 0.5),
        Row("live, record to socket: quiet, p99", quiet, "ms"),
        at_most("live during replay / quiet, p99", during / quiet, 1.5),
    ]


async def _bare(stored: database.Collection, at_once: int) -> float:
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
