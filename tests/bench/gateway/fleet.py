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
from tests.bench import whole_path
from tests.bench.gateway.accounts import reading
from tests.bench.gateway.delivery import open_course
from tests.bench.stream.throughput import own_lane
from tests.bench.whole_path import Used
from tests.report import Row, at_most

ROUNDS: Final = 5
_SECONDS: Final = 6.0
_IDLE_S: Final = 5.0
_SOCKETS: Final = 900  # in all
_ARMS: Final = (1, 3)


async def measure(env: Mapping[str, str], count: int, console: Console) -> list[Row]:
    """Deliver the same traffic by one gateway and by three, in turn: `count` as fast as they go, and at a rate."""
    return [*await _full_pace(env, count, console), *await _at_a_rate(env, console)]


async def _full_pace(env: Mapping[str, str], count: int, console: Console) -> list[Row]:
    found: dict[int, list[float]] = {gateways: [] for gateways in _ARMS}
    for number in range(ROUNDS):
        for gateways in _ARMS if number % 2 == 0 else reversed(_ARMS):
            used = await _delivered(env, gateways, count)
            found[gateways].append(used)
            console.print(f"  gateways: {gateways}  as fast as they go, {used:.1f} µs of CPU each in all of them")
    one, three = (median(found[gateways]) for gateways in _ARMS)
    return [
        Row("one gateway, as fast as it goes: CPU of a delivery", one, "µs"),
        Row("three gateways, as fast as they go: CPU of a delivery", three, "µs"),
        at_most("three gateways / one, as fast as they go: CPU of a delivery", three / one, 1.15),
    ]


async def _delivered(env: Mapping[str, str], gateways: int, count: int) -> float:
    """Deliver so many by gateways that share topics, a third by each of three; return µs of CPU for each."""
    async with own_lane(env) as own, reading(Settings.from_env(own)) as receipts, AsyncExitStack() as exits:
        sockets, each = _SOCKETS // gateways, count // gateways
        courses = [
            await exits.enter_async_context(open_course("gateway", own, receipts, sockets)) for _ in range(gateways)
        ]
        before = [course.server.cpu() for course in courses]
        pushed = await asyncio.gather(*(course.push(each, 1, after=0) for course in courses))
        await receipts.account(set().union(*pushed), [course.board for course in courses], each * gateways)
        used_s = sum(course.server.cpu().since(earlier).all_s for course, earlier in zip(courses, before, strict=True))
        return used_s / (each * gateways) * 1e6


async def _at_a_rate(env: Mapping[str, str], console: Console) -> list[Row]:
    """What a process uses while nothing happens is no cost of a delivery: it is taken off, and shown by itself."""
    found: dict[int, list[Used]] = {gateways: [] for gateways in _ARMS}
    for number in range(ROUNDS):
        for gateways in _ARMS if number % 2 == 0 else reversed(_ARMS):
            used = (await whole_path.run(env, _SECONDS, gateways, idle_s=_IDLE_S))["gateway"]
            found[gateways].append(used)
            console.print(
                f"  gateways: {gateways}  {used.beyond_idle_us:.1f} µs of CPU each in all of them, and "
                f"{used.idle:.1%} of a core while nothing happens"
            )
    one, three = (median(used.beyond_idle_us for used in found[gateways]) for gateways in _ARMS)
    idle_one, idle_three = (median(used.idle for used in found[gateways]) for gateways in _ARMS)
    return [
        Row("one gateway, nothing happens: CPU", idle_one * 100, "% of a core"),
        Row("three gateways, nothing happens: CPU of all", idle_three * 100, "% of a core"),
        Row(f"one gateway at {whole_path.RATE:,}/s: CPU of a delivery beyond that", one, "µs"),
        Row("three gateways: CPU of a delivery beyond that", three, "µs"),
        at_most(f"three gateways / one at {whole_path.RATE:,}/s: CPU of a delivery", three / one, 1.15),
    ]
