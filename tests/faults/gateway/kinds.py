"""The kinds of fault that befall gateways, each a schedule drawn from a seed."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from deploy.local.stack import Stack
from tests.faults.gateway import fuzzing, odd_clients
from tests.faults.gateway.gateways import Gateway
from tests.faults.gateway.odd_clients import Odd
from tests.faults.strangers import doors, librdkafka, positions, records
from tests.faults.strangers.doors import Doors
from tests.faults.strangers.librdkafka import CODECS, Sent
from tests.faults.stream.kinds import Stuck
from tests.proxy import Proxy
from tests.report import Row, at_least, none


@dataclass(slots=True)
class Field:
    """Where faults happen. With a spare gateway, which waits for a mailbox, `way` is the first one's to MongoDB."""

    stack: Stack
    chance: random.Random
    progress: Callable[[str], None]
    team: list[Gateway]
    odd: Odd
    way: Proxy | None = None
    spare: Gateway | None = None
    rows: list[Row] = field(default_factory=list[Row])  # what a kind has measured besides


Kind = Callable[[Field, int], Awaitable[None]]


async def calm(at: Field, count: int) -> None:
    """No fault: so there is nothing that excuses a repeat."""
    await asyncio.sleep(count)


async def sigkill(at: Field, count: int) -> None:
    for done in range(count):
        gateway = at.chance.choice(at.team)
        await asyncio.sleep(at.chance.uniform(0.1, 1.0))
        await gateway.kill()
        await gateway.start()
        await gateway.ready()
        at.progress(f"SIGKILL {done + 1}/{count}")


async def sigstop(at: Field, count: int) -> None:
    """Each in turn sleeps until the spare one has taken its mailbox, wakes up, and is the spare one then."""
    for done in range(count):
        place, heir = done % len(at.team), at.spare
        assert heir is not None
        sleeper = at.team[place]
        sleeper.signal(signal.SIGSTOP)
        try:
            await heir.ready()
            await asyncio.sleep(at.chance.uniform(0.5, 3.0))
        finally:
            sleeper.signal(signal.SIGCONT)
        at.team[place], at.spare = heir, sleeper
        await asyncio.sleep(at.chance.uniform(1.0, 3.0))
        at.progress(f"SIGSTOP {done + 1}/{count}")


async def mongodb(at: Field, count: int) -> None:
    """One gateway is cut off for longer than its lease, so that the spare one takes its mailbox; then all are."""
    del count
    assert at.spare is not None
    assert at.way is not None
    at.way.cut()
    await at.spare.ready()
    await asyncio.sleep(at.chance.uniform(1.0, 5.0))
    at.way.is_cut = False
    at.progress("MongoDB cut off from one gateway")
    await asyncio.sleep(at.chance.uniform(3.0, 5.0))
    await at.stack.stop_child("mongodb")
    await asyncio.sleep(AWAY_S)
    await at.stack.start_mongodb()
    at.progress(f"MongoDB stopped for {AWAY_S:g} s")


async def rolling(at: Field, count: int) -> None:
    for done in range(count):
        gateway = at.team[done % len(at.team)]
        await asyncio.sleep(at.chance.uniform(0.5, 1.5))
        gateway.signal(signal.SIGTERM)
        if code := await gateway.ended():
            raise Stuck(f"a gateway told to stop ended with code {code}")
        await gateway.start()
        await gateway.ready()
        at.progress(f"restarted {done + 1}/{count}")


async def kafka(at: Field, count: int) -> None:
    for done in range(count):
        await asyncio.sleep(at.chance.uniform(2.0, 4.0))
        await at.stack.stop_child("kafka")
        await asyncio.sleep(at.chance.uniform(0.0, 5.0))
        await at.stack.start_kafka()
        at.progress(f"Kafka restarted {done + 1}/{count}")


async def odd(at: Field, count: int) -> None:
    """For `count` seconds, beside everybody else."""
    at.rows += await odd_clients.stall(at.odd, at.team, count, at.progress)


async def fuzz(at: Field, count: int) -> None:
    at.rows += await fuzzing.attack(at.odd.settings, at.team, count, at.chance, at.progress)


async def strangers(at: Field, count: int) -> None:
    """Junk in mailboxes, from other clients and in any codec; odd tokens, odd positions, and sockets that vanish."""
    settings, sent = at.odd.settings, Sent()
    found = Doors(settings, 0, [gateway.port for gateway in at.team])
    for done in range(count):
        junk = [*records.junk_in_mailboxes(at.chance, settings.partitions_deliveries)]
        codec = CODECS[done % len(CODECS)]
        await librdkafka.send(settings, junk, sent, codec=codec)
        await librdkafka.transaction(settings, f"junk-{done}", junk, sent, commit=done % 2 == 0)
        await doors.odd_tokens(found, at.chance)
        await positions.resume(settings, found.gateways, at.chance)
        await doors.half_open(found, at.chance, 60)
        await doors.unread(found, at.chance, 40)
        await doors.upgrades_without_a_token(found, at.chance, 200)
        at.progress(f"strangers {done + 1}/{count}")
    at.rows.append(at_least("strangers: answers at the doors", found.answers.total(), 1, ""))
    at.rows.append(none("strangers: answers that no door may give", len(found.wrong)))
    for wrong in found.wrong[:3]:
        at.progress(wrong)


AWAY_S: Final = 30.0


class Fault(NamedTuple):
    """`has_spare`: there are mailboxes for two gateways only, and a third one waits. `repeats`: of all that came."""

    kind: Kind
    times: int
    has_spare: bool = False
    repeats: float = 1e-3


KINDS: Final[dict[str, Fault]] = {
    "calm": Fault(calm, 15, repeats=0.0),
    "SIGKILL": Fault(sigkill, 30),
    "SIGSTOP": Fault(sigstop, 2, has_spare=True),
    "MongoDB": Fault(mongodb, 1, has_spare=True),
    "rolling restart": Fault(rolling, 5),
    "Kafka": Fault(kafka, 2),
    "odd clients": Fault(odd, 60, repeats=0.0),
    "fuzz": Fault(fuzz, 100_000, repeats=0.0),
    "strangers": Fault(strangers, 5),
}
