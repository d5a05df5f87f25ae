"""The kinds of fault, each a schedule drawn from a seed. A kind returns how many workers' windows it interrupted."""

import asyncio
import itertools
import random
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from clarion.broker.clients import SESSION_S
from clarion.contracts.lanes import Lane
from clarion.settings import Settings
from deploy.local.stack import Stack
from tests.faults.strangers import batches, librdkafka, records
from tests.faults.strangers.librdkafka import Sent
from tests.faults.stream import workers
from tests.faults.stream.workers import Worker


class Stuck(AssertionError):
    """Something did not end, or ended as it must not."""


@dataclass(slots=True)
class Field:
    """Where faults happen: two workers of one group, the servers, and the seed's choices."""

    stack: Stack
    env: Mapping[str, str]
    lane: Lane
    chance: random.Random
    progress: Callable[[str], None]
    published: Callable[[], int]
    team: list[Worker] = field(default_factory=list[Worker])
    guests: list[Worker] = field(default_factory=list[Worker])
    sent: Sent = field(default_factory=Sent)  # what other clients sent

    async def replace(self, place: int) -> Worker:
        self.team[place] = await self.start()
        return self.team[place]

    async def start(self) -> Worker:
        return await workers.start(self.env, self.lane)


_PASSING: Final = 5_000  # notifications, after a server is back and before it is killed again

Kind = Callable[[Field, int], Awaitable[int]]


async def sigkill(at: Field, count: int) -> int:
    """Both workers at once, each 0.1–1 s after its own first window: the group notices after the session timeout."""
    done = 0
    while done < count:

        async def kill(worker: Worker) -> None:
            await worker.first_window()
            await asyncio.sleep(at.chance.uniform(0.1, 1.0))
            worker.kill()
            await worker.ended()

        await asyncio.gather(*(kill(worker) for worker in at.team))
        done += len(at.team)
        at.progress(f"SIGKILL {done}/{count}")
        for place in range(len(at.team)):
            await at.replace(place)
    return done


async def sigterm(at: Field, count: int) -> int:
    """A rolling restart: one after the other, under load."""
    for done in range(count):
        place = done % len(at.team)
        worker = at.team[place]
        await worker.first_window()
        await asyncio.sleep(at.chance.uniform(0.0, 0.5))
        worker.signal(signal.SIGTERM)
        code = await worker.ended()
        if code != 0:
            raise Stuck(f"a worker told to stop ended with code {code}")
        await at.replace(place)
        at.progress(f"SIGTERM {done + 1}/{count}")
    return count


async def rebalance(at: Field, count: int) -> int:
    """A third worker joins and leaves: each moves partitions between those who stay."""
    for done in range(0, count, 2):
        third = await at.start()
        at.guests.append(third)
        await third.first_window()
        await asyncio.sleep(at.chance.uniform(0.2, 1.0))
        third.signal(signal.SIGTERM)
        if code := await third.ended():
            raise Stuck(f"the third worker ended with code {code}")
        await asyncio.sleep(at.chance.uniform(0.2, 1.0))
        at.progress(f"rebalance {done + 2}/{count}")
    return count * 3  # every member's windows, each time


async def sigstop(at: Field, count: int) -> int:
    """Paused beyond its session timeout: another worker has its partitions when it wakes with windows in hand."""
    for done in range(count):
        worker = at.team[done % len(at.team)]
        await worker.first_window()
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(SESSION_S + at.chance.uniform(2.0, 4.0))
        worker.signal(signal.SIGCONT)
        await asyncio.sleep(at.chance.uniform(2.0, 4.0))
        at.progress(f"SIGSTOP {done + 1}/{count}")
    return count * 2


async def mongod_killed(at: Field, count: int) -> int:
    return await _server_killed(at, "mongodb", count)


async def kafka_killed(at: Field, count: int) -> int:
    return await _server_killed(at, "kafka", count)


async def _server_killed(at: Field, name: str, count: int) -> int:
    """SIGKILL; the stack starts it again on its port and data."""
    for done in range(count):
        await asyncio.gather(*(worker.first_window() for worker in at.team))
        await asyncio.sleep(at.chance.uniform(0.5, 2.0))
        restarts = at.stack.children[name].restarts
        at.stack.kill(name)
        async with asyncio.timeout(60):
            while at.stack.children[name].restarts == restarts:
                await asyncio.sleep(0.1)
        await _let_pass(at)
        at.progress(f"{name} killed {done + 1}/{count}")
    return count * len(at.team)


async def mongod_paused(at: Field, count: int) -> int:
    """It answers nobody, for less or more than an operation's deadline."""
    for done in range(count):
        await asyncio.gather(*(worker.first_window() for worker in at.team))
        at.stack.kill("mongodb", signal.SIGSTOP)
        await asyncio.sleep(at.chance.uniform(0.3, 9.0))
        at.stack.kill("mongodb", signal.SIGCONT)
        await _let_pass(at)
        at.progress(f"mongod paused {done + 1}/{count}")
    return count * len(at.team)


async def strangers(at: Field, count: int) -> int:
    """Other clients' records among ours, and a worker is killed: valid ones are stored, bad ones are dead letters."""
    settings = Settings.from_env(at.env)
    for done in range(count):
        mixed = [
            *itertools.islice(records.bad(at.chance), 400),
            *itertools.islice(records.odd(at.chance, settings.partitions_lane), 200),
            *records.flood(at.chance, 400),
        ]
        own = [replace(one, lane=at.lane) for one in mixed]
        at.chance.shuffle(own)
        worker = at.team[done % len(at.team)]
        await worker.first_window()
        await librdkafka.send(settings, own, at.sent, codec=librdkafka.CODECS[done % len(librdkafka.CODECS)])
        undone = [records.valid(at.chance, lanes=[at.lane]) for _ in range(50)]
        await librdkafka.transaction(settings, f"stranger-{done}", undone, at.sent, commit=done % 2 == 0)
        await batches.send(settings, [records.valid(at.chance, lanes=[at.lane]) for _ in range(4)], at.sent)
        worker.kill()
        await worker.ended()
        await at.replace(done % len(at.team))
        at.progress(f"strangers {done + 1}/{count}")
    return count


async def _let_pass(at: Field) -> None:
    resumed = at.published()
    async with asyncio.timeout(60):
        while at.published() < resumed + _PASSING:
            await asyncio.sleep(0.1)


class Fault(NamedTuple):
    kind: Kind
    times: int
    lane: Lane = Lane.NORMAL


KINDS: Final[Mapping[str, Fault]] = {
    "SIGKILL": Fault(sigkill, 30),
    "SIGTERM": Fault(sigterm, 50),
    "rebalance": Fault(rebalance, 20),
    "SIGSTOP": Fault(sigstop, 3),
    "mongod killed": Fault(mongod_killed, 5),
    "Kafka killed": Fault(kafka_killed, 5),
    # what goes live without MongoDB is stored in full afterwards
    "urgent: mongod killed": Fault(mongod_killed, 5, Lane.URGENT),
    "urgent: mongod paused": Fault(mongod_paused, 5, Lane.URGENT),
    "urgent: SIGKILL": Fault(sigkill, 10, Lane.URGENT),
    "strangers": Fault(strangers, 10),
}
