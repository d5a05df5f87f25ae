"""Three gateways against one: what a delivery costs must not depend on how many share the users.

Twice: as fast as they go, with records written to their mailboxes as a lane writes them; and at a moderate rate on the
whole path, where a gateway wakes for a few notifications at a time, and three of them wake three times as often.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from statistics import median
from typing import Final

from rich.console import Console

from clarion.settings import Settings
from tests.bench import background, whole_path
from tests.bench.gateway.accounts import reading
from tests.bench.gateway.arms import ARMS
from tests.bench.gateway.delivery import Course, served
from tests.bench.stream.throughput import own_lane
from tests.bench.whole_path import Cost
from tests.report import Row, at_most

ROUNDS: Final = 3
_SECONDS: Final = 6.0
_SOCKETS: Final = 900  # in all
_FLEETS: Final = (1, 3)
_BAR: Final = 1.15


async def measure(env: Mapping[str, str], count: int, console: Console) -> list[Row]:
    """Deliver the same traffic by one gateway and by three, in turn: `count` as fast as they go, and at a rate."""
    background.as_usual()  # processes that preempt what they find running wake for less at a time, and more often
    try:
        return [*await _full_pace(env, count, console), *await _at_a_rate(env, console)]
    finally:
        background.go_first()


async def _full_pace(env: Mapping[str, str], count: int, console: Console) -> list[Row]:
    arms = [(server, servers) for server in ARMS for servers in _FLEETS]
    found: dict[tuple[str, int], list[float]] = {arm: [] for arm in arms}
    for number in range(ROUNDS):
        for arm in arms if number % 2 == 0 else reversed(arms):
            used = await _delivered(env, *arm, count)
            found[arm].append(used)
            console.print(f"  {arm[0]:8} × {arm[1]}  as fast as they go, {used:.1f} µs of CPU each in all of them")
    us = {arm: median(used) for arm, used in found.items()}
    rows = [
        Row(f"{server} × {servers}, as fast as they go: CPU", us[server, servers], "µs") for server, servers in arms
    ]
    return [
        *rows,
        at_most("three gateways / one, as fast as they go: CPU", us["gateway", 3] / us["gateway", 1], _BAR),
        Row("the same of uvicorn", us["uvicorn", 3] / us["uvicorn", 1], "×"),
    ]


async def _delivered(env: Mapping[str, str], server: str, servers: int, count: int) -> float:
    """Deliver so many by servers that share topics, a third by each of three; return µs of CPU for each."""
    async with own_lane(env) as own, AsyncExitStack() as exits:
        settings, sockets, each = Settings.from_env(own), _SOCKETS // servers, count // servers
        found = [await exits.enter_async_context(served(server, own, sockets, mailbox)) for mailbox in range(servers)]
        receipts = await exits.enter_async_context(reading(settings))
        courses = [Course(server, settings, arm, board, receipts, sockets) for arm, board in found]
        before = [course.server.cpu() for course in courses]
        pushed = await asyncio.gather(*(course.push(each, 1, after=0) for course in courses))
        ids = {id_ for some in pushed for id_ in some}
        await receipts.account(ids, [course.board for course in courses], each * servers)
        used_s = sum(course.server.cpu().since(earlier).all_s for course, earlier in zip(courses, before, strict=True))
        return used_s / (each * servers) * 1e6


async def _at_a_rate(env: Mapping[str, str], console: Console) -> list[Row]:
    """What a process uses while nothing happens is no cost of a delivery: it is taken off, and shown by itself."""
    total = whole_path.RATE
    arms = [(1, total), (3, total), (1, total // 3)]  # gateways, and notifications a second in all
    found: dict[tuple[int, int], list[Cost]] = {arm: [] for arm in arms}
    for number in range(ROUNDS):
        for gateways, rate in arms if number % 2 == 0 else reversed(arms):
            used = (await whole_path.run(env, _SECONDS, gateways, rate=rate))["gateway"]
            found[gateways, rate].append(used)
            console.print(
                f"  gateway × {gateways} at {rate:,}/s  {used.beyond_idle_us:.1f} µs of CPU each in all of them, and "
                f"{used.idle:.1%} of a core while nothing happens"
            )
    us = {arm: median(used.beyond_idle_us for used in every) for arm, every in found.items()}
    idle = {arm: median(used.idle for used in every) for arm, every in found.items()}
    one, three, third = us[arms[0]], us[arms[1]], us[arms[2]]
    return [
        Row("gateway × 1, nothing happens: CPU", idle[arms[0]] * 100, "% of a core"),
        Row("gateway × 3, nothing happens: CPU", idle[arms[1]] * 100, "% of a core"),
        Row(f"gateway × 1 at {total:,}/s: CPU beyond that", one, "µs"),
        Row(f"gateway × 3 at {total:,}/s: CPU beyond that", three, "µs"),
        Row(f"gateway × 1 at {total // 3:,}/s: CPU beyond that", third, "µs"),
        at_most(f"three gateways / one, at {total:,}/s in all: CPU", three / one, _BAR),
        at_most(f"three gateways / one, at {total // 3:,}/s each: CPU", three / third, _BAR),
    ]
