"""What an idle connection costs: resident memory and CPU, after a while of heartbeats only.

Both arms are held at once: an idle server's CPU is a few wake-ups, whose price is the machine's at that moment. Held
one after the other, the same two at 5,000 gave a ratio of 0.32 to 0.49 from run to run.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from clarion.contracts import limits
from tests.bench.gateway.arms import ARMS, connected, serving
from tests.bench.gateway.clients import Count
from tests.bench.stream.throughput import own_lane
from tests.report import Row, at_most

IDLE_S: Final = 2 * limits.PING_S  # each connection has two heartbeats in it
_FIRST: Final = 200  # come and go before anything is measured: what is made once belongs to nobody
_SETTLE_S: Final = 3.0
_KB_BAR: Final = 4.0


@dataclass(frozen=True, slots=True)
class Idle:
    kb_each: float
    cpu_s: float  # within IDLE_S
    pings: int


async def measure(env: Mapping[str, str], sizes: list[int], console: Console) -> list[Row]:
    rows: list[Row] = []
    for sockets in sizes:
        async with asyncio.TaskGroup() as tasks:
            held = {arm: tasks.create_task(hold(arm, env, sockets)) for arm in ARMS}
        found = {arm: task.result() for arm, task in held.items()}
        for arm, idle in found.items():
            console.print(
                f"  {arm:8} {sockets:6,} idle: {idle.kb_each:6.1f} KB each, "
                f"{idle.cpu_s / IDLE_S:5.1%} of a core, {idle.pings:,} heartbeats"
            )
        rows += _rows(sockets, found["gateway"], found["uvicorn"])
    return rows


def _rows(sockets: int, gateway: Idle, uvicorn: Idle) -> list[Row]:
    return [
        at_most(f"{sockets:,} idle: resident memory of a connection", gateway.kb_each, _KB_BAR, "KB"),
        Row(f"{sockets:,} idle: the same, uvicorn", uvicorn.kb_each, "KB"),
        at_most(f"{sockets:,} idle: memory, gateway / uvicorn", gateway.kb_each / uvicorn.kb_each, 0.25),
        Row(f"{sockets:,} idle: CPU, gateway", 100 * gateway.cpu_s / IDLE_S, "% of a core"),
        Row(f"{sockets:,} idle: CPU, uvicorn", 100 * uvicorn.cpu_s / IDLE_S, "% of a core"),
        at_most(f"{sockets:,} idle: CPU, gateway / uvicorn", gateway.cpu_s / uvicorn.cpu_s, 0.5),
    ]


async def hold(arm: str, env: Mapping[str, str], sockets: int) -> Idle:
    """Hold so many connections at a server of its own, and look at what they cost."""
    async with own_lane(env) as own, serving(arm, own) as server:
        async with connected(server, _FIRST, own):
            await asyncio.sleep(_SETTLE_S)
        await asyncio.sleep(_SETTLE_S)
        empty = server.process.memory_info().rss
        async with connected(server, sockets, own) as board:
            await asyncio.sleep(_SETTLE_S)
            before, pings = server.cpu(), board[Count.PINGS]
            await asyncio.sleep(IDLE_S)
            full = server.process.memory_info().rss
            return Idle((full - empty) / sockets / 1024, server.cpu().since(before).all_s, board[Count.PINGS] - pings)
