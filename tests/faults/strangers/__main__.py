"""`make faults-strangers`: kinds of strangers in turn, for ten minutes, beside honest traffic that must not notice.

Seeded: the same seed makes the same choices. Exits non-zero when anything honest or valid was lost, came twice or out
of order, when a process ended, got stuck or fails, when a bad record has not one dead letter that names its cause, when
a door answered what it must not, or when memory or logs grew past their bound.
"""

import argparse
import asyncio
import logging
import random
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import httpx2
import psutil
from rich.console import Console

from clarion.contracts.api.status import State
from clarion.contracts.lanes import LANES, Lane
from clarion.store import notifications
from clarion.store.driver import database
from deploy.local.stack import Plan, Stack
from tests import report
from tests.faults.gateway import devices as watched
from tests.faults.gateway.devices import Device, settled
from tests.faults.gateway.receiving import judge
from tests.faults.publishing import Publishing
from tests.faults.strangers import letters, records
from tests.faults.strangers.doors import Doors
from tests.faults.strangers.kinds import KINDS, Field
from tests.faults.strangers.world import Service, World, world
from tests.proxy import proxied
from tests.report import Row, at_least, at_most, none
from tests.temporary_stacks import temporary_stack

RATE: Final = 200.0
USERS: Final = 40
MINUTES: Final = 10.0
MEMORY_MIB: Final = 96.0  # that any process may grow, with all its buffers in use
LOG_LINES: Final = 3_000  # of any process
LOG_MIB: Final = 1.0
_KIND_S: Final = 120.0
_CALM_S: Final = 10.0
_PAUSE_S: Final = 1.0
_STORED_S: Final = 20.0
_BUFFERED_S: Final = 0.5  # by the proxy before the devices of a tenth of the users
_MIB: Final = 2**20
_LANES: Final = {0: Lane.URGENT, 1: Lane.HIGH, 2: Lane.LOW}


async def main(seed: int, kinds: list[str], minutes: float) -> int:
    console = Console(highlight=False)
    console.print(f"seed {seed}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what its own client says of a busy broker is no news
    plan = Plan(servers_only=True, any_ports=True, full_speed=True)
    async with temporary_stack(plan, lambda note: console.print(f"    {note}")) as stack:
        rows = await run(stack, seed, kinds, minutes, console)
    report.write("faults-strangers", rows, console, seed=seed)
    return 1 if any(row.ok is False for row in rows) else 0


async def run(stack: Stack, seed: int, kinds: list[str], minutes: float, console: Console) -> list[Row]:
    async with world(stack) as at:
        doors = Doors(at.settings, at.ingest.port, [gateway.port for gateway in at.gateways])
        field, honest = Field(at, doors), [Device(f"user-{n}", by_stream=n % 10 == 5) for n in range(USERS)]
        guests = [Device(user) for user in records.USERS]
        publishing = Publishing(at.settings, RATE, _address)
        stuck, failing = "", list[str]()
        async with _receiving(at, honest, guests), _watching(at, failing):
            async with publishing.running():
                await asyncio.sleep(_CALM_S)
                calm = _late(honest, [])
                stuck = await _strangers(field, seed, kinds, minutes, console)
            published = publishing.published | {id_: good.said for id_, good in field.sent.good.items()}
            await settled(published, [*honest, *guests], at.settings, at.urls)
            dead = await letters.collect(at.settings, len(field.sent.bad))
            stuck = stuck or await _behind(at)
        undone = await _seen(at, field.sent.undone)
        kept = await _seen_all(at, field.sent.kept)
        retracted = await _seen_all(at, field.sent.retracted, state=State.RETRACTED, unread=None)
        devices = [*honest, *guests, *field.devices]
        found = judge(published, publishing.unsure, [one.had for one in devices])
        dead_found = letters.judge(field.sent.bad, dead)
        wrongs = {
            **found.wrongs(),
            **dead_found.wrongs(),
            "of aborted transactions, seen": sorted(undone),
            "accepted by ingest and not stored": sorted(field.sent.kept - kept),
            "taken back and not retracted": sorted(field.sent.retracted - retracted),
            "answers that no door may give": doors.wrong,
            "processes that ended": [one.name for one in at.services.values() if not one.is_alive()],
            "said what no process must": [line for one in at.services.values() for line in _broken(one)],
            "failing": failing,
            "stuck": [stuck] if stuck else [],
        }
        for wrong, which in wrongs.items():
            if which:
                console.print(f"  [red]{wrong}[/]: {len(which):,}, such as", *which[:3], markup=True)
        return [
            Row("honest, published", len(publishing.published), "notifications"),
            Row("of strangers, valid", len(field.sent.good), "notifications"),
            Row("of strangers, accepted by ingest", len(field.sent.kept), "notifications"),
            Row("of strangers, taken back at once", len(field.sent.retracted), "notifications"),
            Row("of strangers, bad", len(field.sent.bad), "records"),
            Row("of strangers, refused by the broker", field.sent.refused, "records"),
            at_least("of strangers, answers at the doors", sum(doors.answers.values()), 1, ""),
            *(none(wrong, len(which)) for wrong, which in wrongs.items()),
            *_bounds(at),
            Row("honest, p99 while calm", calm, "s"),
            Row("honest, p99 beside strangers", _late(honest, field.held_up), "s"),
            Row("honest, p99 while topics hold them up, too", _late(honest, []), "s"),
        ]


async def _strangers(field: Field, seed: int, kinds: list[str], minutes: float, console: Console) -> str:
    """Kinds in turn until the time is over, each at least once. What got stuck, or nothing."""
    ends, turn = time.monotonic() + minutes * 60, 0
    while turn == 0 or time.monotonic() < ends:
        order = random.Random(f"{seed} {turn}").sample(kinds, len(kinds))
        for kind in order:
            began = time.monotonic()
            if turn and began > ends:
                break
            try:
                async with asyncio.timeout(_KIND_S):
                    await KINDS[kind](field, random.Random(f"{seed} {turn} {kind}"))
            except TimeoutError as error:
                return f"{kind}: {error or 'did not end in time'}"
            console.print(f"  {kind}: {time.monotonic() - began:.1f} s")
            await asyncio.sleep(_PAUSE_S)
        turn += 1
    return ""


def _address(number: int) -> tuple[str, Lane]:
    return f"user-{number % USERS}", _LANES.get(number // USERS % 10, Lane.NORMAL)


@asynccontextmanager
async def _receiving(at: World, honest: list[Device], guests: list[Device]) -> AsyncGenerator[None]:
    """All devices, connected; a tenth of the honest ones come through a proxy that holds what the gateway sends."""
    async with proxied("127.0.0.1", at.gateways[0].port) as proxy:
        proxy.delay_s = _BUFFERED_S
        slow = honest[:: USERS // 4]
        quick = [device for device in (*honest, *guests) if device not in slow]
        async with (
            watched.running(slow, at.settings, [f"http://127.0.0.1:{proxy.port}"]),
            watched.running(quick, at.settings, at.urls),
        ):
            yield


@asynccontextmanager
async def _watching(at: World, failing: list[str]) -> AsyncGenerator[None]:
    """Note each process's memory every second, and when its health says that it fails, or does not answer."""

    async def look(service: Service) -> None:
        try:
            service.look()
            status, reasons = await service.status()
        except (httpx2.TransportError, psutil.NoSuchProcess) as error:
            if service.is_alive():
                failing.append(f"{service.name} does not tell its health: {error!r}")
        else:
            if status == "failing":
                failing.append(f"{service.name}: {reasons}")

    async def watch() -> None:
        while True:
            for service in at.services.values():
                if service.is_alive():
                    await look(service)
            await asyncio.sleep(1)

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch(), name="watching")
        try:
            yield
        finally:
            watching.cancel()


def _late(devices: list[Device], apart: list[tuple[float, float]]) -> float:
    """The 99th percentile of how long items took from publishing to the SDK, in seconds.

    What was published in one of the times `apart` is left out.
    """
    late_s = sorted(
        late.seconds
        for device in devices
        for late in device.late
        if not any(begin <= late.published_at <= end for begin, end in apart)
    )
    return late_s[len(late_s) * 99 // 100] if late_s else 0.0


async def _behind(at: World) -> str:
    """Which lane still has a lag, once everything has come."""
    for lane in LANES:
        service = at.services[f"lane-{lane}"]
        if not service.is_alive():
            continue  # it counts among those that ended
        figures = await service.figures()
        if lag := figures.get(f'clarion_worker_lag_records{{lane="{lane}"}}', 0.0):
            return f"lane {lane} has a lag of {lag:g} records"
    return ""


async def _seen_all(at: World, ids: set[str], **how: object) -> set[str]:
    """As `_seen`, when all are, or after a while."""
    ends = time.monotonic() + _STORED_S
    while (found := await _seen(at, ids, **how)) != ids and time.monotonic() < ends:
        await asyncio.sleep(0.5)
    return found


async def _seen(at: World, ids: set[str], **how: object) -> set[str]:
    """Those of `ids` that are stored, with these values."""
    connection = database.connect(at.settings)
    try:
        found = notifications.collection(connection).find({"_id": {"$in": list(ids)}, **how}, ["_id"])
        return {document["_id"] async for document in found}
    finally:
        database.close(connection)


def _broken(service: Service) -> list[str]:
    signs = ("process failed", "Traceback", "exception was never retrieved", "a connection's task failed")
    return [f"{service.name}: {line[:300]}" for line in service.lines() if any(sign in line for sign in signs)]


def _bounds(at: World) -> list[Row]:
    services = list(at.services.values())
    grown = max(services, key=lambda one: one.most - one.resident)
    longest = max(services, key=lambda one: len(one.lines()))
    largest = max(services, key=lambda one: one.log.stat().st_size)
    return [
        at_most(f"memory, most grown: {grown.name}", (grown.most - grown.resident) / _MIB, MEMORY_MIB, "MiB"),
        at_most(f"log lines, most: {longest.name}", len(longest.lines()), LOG_LINES, "lines"),
        at_most(f"log, largest: {largest.name}", largest.log.stat().st_size / _MIB, LOG_MIB, "MiB"),
    ]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments.add_argument("--only", choices=list(KINDS), action="append", help="this kind; may be given again")
    arguments.add_argument("--minutes", type=float, default=MINUTES, help="each kind happens once at least")
    chosen = arguments.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no process is left behind
    sys.exit(asyncio.run(main(chosen.seed, chosen.only or list(KINDS), chosen.minutes)))
