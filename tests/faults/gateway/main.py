"""`make faults-gateway`: every kind of fault that befalls gateways and their clients, while notifications pass.

Real lanes and receipts behind them, the Python SDK before them; afterwards each device of each user was handed all that
was published for its user. Seeded: the same seed draws the same schedule. Exits non-zero when anything was lost, went
to another user, came out of order or twice after the SDK, or when a gateway broke or got stuck; not when a bar was
missed, which is shown.
"""

import argparse
import asyncio
import logging
import random
import signal
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from rich.console import Console

from clarion.contracts.lanes import Lane
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from deploy.local.stack import Plan, Stack
from tests import report
from tests.bench.stream.throughput import own_lane
from tests.faults.gateway import devices as watched
from tests.faults.gateway.devices import Device, settled
from tests.faults.gateway.gateways import Gateway
from tests.faults.gateway.kinds import KINDS, Fault, Field
from tests.faults.gateway.odd_clients import Odd
from tests.faults.gateway.receiving import judge
from tests.faults.publishing import Publishing
from tests.faults.stream.kinds import Stuck
from tests.faults.stream.workers import LOGS
from tests.proxy import mongodb_at, proxied
from tests.report import Row, at_least, at_most, none
from tests.subprocesses import Net, child
from tests.temporary_stacks import temporary_stack

RATE: Final = 600.0
USERS: Final = 100
PAIRS: Final = 20  # of them have two devices
STREAM_EVERY: Final = 10  # users: one whose device, or one of them, reads an event stream
DELIVERIES: Final = 100_000
URGENT_EVERY: Final = 10
ROLES: Final = (
    ("--role", "lane", "--lane", Lane.NORMAL),
    ("--role", "lane", "--lane", Lane.URGENT),
    ("--role", "receipts"),
)
_TEAM: Final = 2
_LOOKED_S: Final = 30.0
_KIND_S: Final = 1_200.0  # of fuzz, on a machine that looks at 180 frames a second: only what stands still takes longer
_SHOWN: Final = 3
_MAILBOXES: Final = 40  # more than are killed: one that was left is taken only once there is no free one


async def main(seed: int, kinds: list[str], share: float) -> int:
    console = Console(highlight=False)
    console.print(f"seed {seed}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that was stopped is no news
    rows: list[Row] = []
    handed = 0
    plan = Plan(servers_only=True, any_ports=True, full_speed=True)
    async with temporary_stack(plan, lambda note: console.print(f"    {note}")) as stack:
        for kind in kinds:
            # a seed of its own for each, so that one kind replays without the others
            found, count = await one_kind(stack, kind, random.Random(f"{seed} {kind}"), share, console)
            rows += found
            handed += count
    if len(kinds) == len(KINDS):
        rows.append(at_least("deliveries in all", handed, DELIVERIES, "items"))
    report.write("faults-gateway", rows, console, seed=seed)
    return 1 if any(row.ok is False and row.bar == "= 0" for row in rows) else 0


async def one_kind(
    stack: Stack, kind: str, chance: random.Random, share: float, console: Console
) -> tuple[list[Row], int]:
    """What was found, and how many items were handed out."""
    fault, began, stuck = KINDS[kind], time.perf_counter(), ""
    async with world(stack, fault) as (settings, at):
        odd = at.odd.users() if kind == "odd clients" else []
        quick = [Device(f"user-{n}", by_stream=n % STREAM_EVERY == 0) for n in range(USERS)]
        others = [Device(f"user-{n}") for n in range(PAIRS)]
        late = [Device(user) for user in odd]
        at.odd.slow = others
        users = [device.user for device in quick] + odd
        publishing = Publishing(settings, RATE, lambda number: addressed(number, users))
        at.chance = chance
        at.progress = lambda note: console.print(f"  {kind}: {note}, {len(publishing.published):,} published")
        urls = [gateway.url for gateway in everybody(at)]
        async with watched.running([*quick, *others], settings, urls):
            async with publishing.running():
                try:
                    async with asyncio.timeout(_KIND_S):
                        await fault.kind(at, max(1, round(fault.times * share)))
                except (Stuck, TimeoutError) as error:
                    stuck = str(error) or "something did not end in time"
            devices = [*quick, *others, *late]
            async with watched.running(late, settings, urls):
                await settled(publishing.published, devices, settings, urls)
                nets = await looked(everybody(at))
        stuck = stuck or ("" if all(gateway.is_alive for gateway in everybody(at)) else "a gateway ended by itself")
        broken = [line for gateway in everybody(at) for line in gateway.broken()]
        found = judge(publishing.published, publishing.unsure, [device.had for device in devices])
        for line in await _states(settings, found.lost[:_SHOWN]):
            console.print(f"  [red]lost[/]: {line}", markup=True)
    for wrong, ids in [*found.wrongs().items(), ("broken", broken), ("stuck", [stuck] if stuck else [])]:
        if ids:
            console.print(f"  [red]{wrong}[/]: {len(ids):,}, such as {ids[:3]}", markup=True)
    by_stream = sum(len(device.handed) for device in quick if device.by_stream)
    late_s = sorted(late.seconds for device in quick for late in device.late)
    repeats = sum(device.repeats for device in devices)
    console.print(f"  {kind}: {found.handed:,} handed out, {repeats:,} came again on the wire")
    return [
        Row(f"{kind}: handed out", found.handed, "items"),
        Row(f"{kind}: of these by event stream", by_stream, "items"),
        *(none(f"{kind}: {wrong}", len(ids)) for wrong, ids in found.wrongs().items()),
        none(f"{kind}: delivered by the safety net only", int(sum(net.overlooked for net in nets))),
        at_least(f"{kind}: asked about by the safety nets", sum(net.asked for net in nets), 1, "times"),
        none(f"{kind}: said what no gateway must", len(broken)),
        none(f"{kind}: stuck", int(bool(stuck))),
        at_most(
            f"{kind}: repeats on the wire", repeats / max(found.handed, 1) * 1e3, fault.repeats * 1e3, "in a thousand"
        ),
        Row(f"{kind}: went live early", sum(device.early for device in devices), "items"),
        Row(f"{kind}: told to read the inbox", sum(device.resyncs for device in devices), "times"),
        Row(f"{kind}: missed, and found there", sum(map(_found_there, devices)), "items"),
        Row(f"{kind}: from publishing to the SDK, p99", late_s[len(late_s) * 99 // 100], "s"),
        *at.rows,
        Row(f"{kind}: took", time.perf_counter() - began, "s"),
    ], found.handed


def _found_there(device: Device) -> int:
    return len(device.in_inbox - {item.id for item in device.handed})


async def _states(settings: Settings, ids: list[str]) -> list[str]:
    """What the store has of notifications that a device was not handed: to see on which side they were lost."""
    connection = database.connect(settings)
    try:
        stored = notifications.collection(connection)
        kept = {document["_id"]: document async for document in stored.find({"_id": {"$in": ids}}, {"body": 0})}
    finally:
        database.close(connection)
    return [str(kept.get(id_, f"{id_} is not stored")) for id_ in ids]


def addressed(number: int, users: list[str]) -> tuple[str, Lane]:
    lane = Lane.NORMAL if number // len(users) % URGENT_EVERY else Lane.URGENT
    return users[number % len(users)], lane


def everybody(at: Field) -> list[Gateway]:
    return [*at.team, *filter(None, [at.spare])]


@asynccontextmanager
async def world(stack: Stack, fault: Fault) -> AsyncGenerator[tuple[Settings, Field]]:
    """Topics, a database, lanes and gateways of this fault's own. All end with the block."""
    wanted = {
        **stack.env,
        "CLARION_PARTITIONS_DELIVERIES": str(_TEAM if fault.has_spare else _MAILBOXES),
        "CLARION_UPGRADES_PER_S": "0",
        "CLARION_CONNECTIONS_PER_IP": "1000",
        "CLARION_DRAIN_S": "2",
        "CLARION_SAFETY_NET_S": "10",
    }
    async with AsyncExitStack() as ends:
        env = await ends.enter_async_context(own_lane(wanted))
        settings = Settings.from_env(env)
        LOGS.mkdir(parents=True, exist_ok=True)
        for role in ROLES:
            log = LOGS / f"{'-'.join(role[1::2])}.log"
            await ends.enter_async_context(child(("-m", "clarion.cli", "stream", *role), env, log))
        at = Field(stack, random.Random(), lambda _: None, [], Odd(settings))
        own: list[Mapping[str, str]] = [env] * _TEAM
        if fault.has_spare:
            at.way = await ends.enter_async_context(proxied("127.0.0.1", stack.ports["mongodb"]))
            own[0] = {**env, "CLARION_MONGODB": mongodb_at(at.way.port)}
            at.spare = Gateway(env)
        at.team = [Gateway(each) for each in own]
        for gateway in everybody(at):
            ends.push_async_callback(gateway.kill)
        for gateway in at.team:
            await gateway.start()
        await asyncio.gather(*(gateway.ready() for gateway in at.team))
        if at.spare is not None:
            await at.spare.start()
        yield settings, at


async def looked(gateways: list[Gateway]) -> list[Net]:
    """What their safety nets have done, once all is settled and somebody was asked about; or after a time."""
    before = await _nets(gateways)
    try:
        async with asyncio.timeout(_LOOKED_S):
            while all(now.asked <= then.asked for now, then in zip(await _nets(gateways), before, strict=True)):
                await asyncio.sleep(0.5)
    except TimeoutError:
        pass
    return await _nets(gateways)


async def _nets(gateways: list[Gateway]) -> list[Net]:
    return [await gateway.net() for gateway in gateways]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments.add_argument("--only", choices=list(KINDS), action="append", help="this kind; may be given again")
    arguments.add_argument("--share", type=float, default=1.0, help="of the faults of each kind, for a short run")
    chosen = arguments.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever is told to stop leaves no process behind
    sys.exit(asyncio.run(main(chosen.seed, chosen.only or list(KINDS), chosen.share)))
