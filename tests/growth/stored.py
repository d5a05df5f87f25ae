"""What a notification and a connection cost while 10³ to 10⁶ notifications are stored already."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from statistics import median
from typing import Any, Final

from rich.console import Console

from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.store import indexes, notifications
from clarion.store.driver import database
from clarion.store.driver.database import Database
from tests.bench import whole_path
from tests.bench.costs import varied
from tests.bench.costs.arms import Receivers
from tests.bench.gateway.items import insert, item
from tests.bench.whole_path import Path
from tests.report import Row, at_most, p99_ms

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
RATE: Final = 500  # notifications a second: two cores are not full, so a latency is none of waiting for the machine
BACK: Final = 200  # users who come back
WAITING: Final = 10  # of each
_USERS: Final = 50_000  # whose notifications are stored
_AT_ONCE: Final = 2_000
_IDLE_S: Final = 4.0
_SETTLE_S: Final = 3.0
_BAR: Final = 1.5  # a cost with the most stored against that with the fewest: an index of a thousand times as many
_ROLES: Final = ("ingest", "lane", "receipts", "gateway", "mongodb", "kafka")


async def measure(
    env: Mapping[str, str], beside: Mapping[str, int], sizes: Sequence[int], seconds: float, console: Console
) -> list[Row]:
    """Measure one system with ever more stored. `beside` are the ids of Kafka's and MongoDB's processes."""
    rows: list[Row] = []
    costs: dict[int, tuple[float, float]] = {}
    async with whole_path.running(env, beside=beside) as path:
        within = database.connect(path.settings)
        try:
            await indexes.ensure(within)
            there = 0
            for size in sizes:
                await _store(within, size - there, there)
                there = size
                found, of_one, of_connect = await _one(path, within, size, seconds, console)
                rows += found
                costs[size] = of_one, of_connect
        finally:
            database.close(within)
    first, last = costs[sizes[0]], costs[sizes[-1]]
    named = f"{sizes[-1]:,} stored / {sizes[0]:,}"
    return [
        *rows,
        at_most(f"{named}: CPU of a notification, all processes", last[0] / first[0], _BAR),
        at_most(f"{named}: CPU of a connect with replay, all processes", last[1] / first[1], _BAR),
    ]


async def _one(
    path: Path, within: Database, size: int, seconds: float, console: Console
) -> tuple[list[Row], float, float]:
    """Return rows of one size, the CPU of a notification over all processes, and that of a connect, in µs."""
    name = f"{size:,} stored"
    async with path.connected() as receivers:
        await asyncio.sleep(_SETTLE_S)
        idle = await path.idle(_IDLE_S)
        before = await _mongodb_us(within)
        used = await path.deliver(receivers, RATE, seconds)
        busy_us = (await _mongodb_us(within) - before) / used.count
    each = {role: (used.cpu_s[role] - idle[role] * used.seconds) / used.count * 1e6 for role in _ROLES}
    rows = [Row(f"{name}: CPU of a notification, {role}", us, "µs") for role, us in each.items()]
    rows += [
        Row(f"{name}: CPU of a notification, all processes", sum(each.values()), "µs"),
        Row(f"{name}: operations of a notification, as MongoDB counts them", busy_us, "µs"),
        Row(f"{name}: from ingest to the client, p50", median(used.late_s) * 1e3, "ms"),
        Row(f"{name}: from ingest to the client, p99", p99_ms(used.late_s), "ms"),
    ]
    connects, counted_us, seconds_each = await _come_back(path, within, idle)
    rows += [Row(f"{name}: CPU of a connect with replay, {role}", us, "µs") for role, us in connects.items()]
    rows += [
        Row(f"{name}: CPU of a connect with replay, all processes", sum(connects.values()), "µs"),
        Row(f"{name}: operations of a connect with replay, as MongoDB counts them", counted_us, "µs"),
        Row(f"{name}: {BACK} connect at once and have {WAITING} each after", seconds_each, "s"),
    ]
    console.print(
        f"  {name}: {sum(each.values()):,.0f} µs of CPU for a notification, {sum(connects.values()):,.0f} for a "
        f"connect; from ingest to the client p50 {median(used.late_s) * 1e3:.0f}, p99 {p99_ms(used.late_s):.0f} ms"
    )
    return rows, sum(each.values()), sum(connects.values())


async def _come_back(path: Path, within: Database, idle: Mapping[str, float]) -> tuple[dict[str, float], float, float]:
    """Have users connect to whom something waits; return the CPU of each by role, MongoDB's own time, and the time."""
    users = [new_id() for _ in range(BACK)]
    missed = [item(user, Lane.NORMAL, number) for number in range(1, WAITING + 1) for user in users]
    await insert(notifications.collection(within), missed)
    await asyncio.sleep(_SETTLE_S)
    loop = asyncio.get_running_loop()
    before, counted, began = path.cpu_s(), await _mongodb_us(within), loop.time()
    subscribers = [path.subscriber(user, path.settings.gateway_urls[0]) for user in users]
    async with Receivers(subscribers) as receivers:
        await receivers.have(BACK * WAITING)
        took = loop.time() - began
        await asyncio.sleep(_SETTLE_S)
        passed, after = loop.time() - began, path.cpu_s()
        counted = await _mongodb_us(within) - counted
    each = {role: (after[role] - before[role] - idle[role] * passed) / BACK * 1e6 for role in _ROLES}
    return each, counted / BACK, took


async def _mongodb_us(within: Database) -> float:
    """Return how long all operations took since mongod began, in µs, as it counts them itself."""
    status: Mapping[str, Any] = await within.client.admin.command("serverStatus")
    return float(sum(one["latency"] for one in status["opLatencies"].values()))


async def _store(within: Database, count: int, there: int) -> None:
    """Store so many of other users, of whom most were delivered, some were read, and a few wait."""
    users = [f"other-{n}" for n in range(_USERS)]
    documents = notifications.collection(within)
    for start in range(0, count, _AT_ONCE):
        made = [
            _aged(varied.document(random.choice(users), there + start + n)) for n in range(min(_AT_ONCE, count - start))
        ]
        await documents.insert_many(made, ordered=False)


def _aged(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document as it is some time after it was stored, in the last month."""
    age = timedelta(seconds=random.uniform(60, 29 * 86_400))
    for name in ("created_at", "available_at", "stored_at", "purge_at"):
        document[name] -= age
    chance = random.random()
    if chance < 0.95:
        document |= {"state": "delivered", "delivered_at": document["stored_at"] + timedelta(seconds=1)}
    if chance < 0.20:
        document |= {"state": "read", "unread": False, "read_at": document["stored_at"] + timedelta(seconds=60)}
    return document
