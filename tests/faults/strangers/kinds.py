"""What one kind of stranger does in one turn. Each draws its choices from a generator of its own."""

import itertools
import random
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.topics import Names
from tests.faults.gateway.devices import Device
from tests.faults.strangers import batches, detours, doors, java, librdkafka, positions, publishers, records, refusals
from tests.faults.strangers.doors import Doors
from tests.faults.strangers.librdkafka import CODECS, Sent
from tests.faults.strangers.world import World

FLOOD: Final = 10_000
_FEW: Final = 40
_OPEN_S: Final = 3.0
_EARLIER_S: Final = 2.0  # what was on its way when it began waits as well


@dataclass(slots=True)
class Field:
    world: World
    doors: Doors
    sent: Sent = field(default_factory=Sent)
    devices: list[Device] = field(default_factory=list[Device])  # that came and went
    # when honest traffic waits by Kafka's own rules: behind an open transaction, or for a topic that takes nothing
    held_up: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    @contextmanager
    def holding_up(self) -> Generator[None]:
        began = time.time()
        try:
            yield
        finally:
            self.held_up.append((began - _EARLIER_S, time.time()))


Kind = Callable[[Field, random.Random], Awaitable[None]]


async def codecs(at: Field, chance: random.Random) -> None:
    """Valid records in every codec of librdkafka, many to a batch."""
    for codec in CODECS:
        found = [records.valid(chance) for _ in range(_FEW)]
        await librdkafka.send(at.world.settings, found, at.sent, codec=codec)


async def java_client(at: Field, chance: random.Random) -> None:
    """Kafka's own console producer, in a codec of its choice: without keys, so in any partition."""
    lane = chance.choice(LANES)
    found = [one for one in (records.valid(chance) for _ in range(4 * _FEW)) if one.lane is lane]
    codec = chance.choice(CODECS)
    await java.send(at.world.stack, at.world.settings, lane, found, at.sent, codec=codec)


async def odd_records(at: Field, chance: random.Random) -> None:
    partitions = at.world.settings.partitions_lane
    found = list(itertools.islice(records.odd(chance, partitions), 3 * _FEW))
    await librdkafka.send(at.world.settings, found, at.sent, codec=chance.choice(CODECS))


async def bad_records(at: Field, chance: random.Random) -> None:
    """Bad records among good ones of the same batches."""
    mixed: list[records.Record] = [
        *itertools.islice(records.bad(chance), 2 * _FEW),
        *(records.valid(chance) for _ in range(_FEW)),
    ]
    chance.shuffle(mixed)
    await librdkafka.send(at.world.settings, mixed, at.sent, codec=chance.choice(CODECS))


async def header_names(at: Field, chance: random.Random) -> None:
    """Header names that are not UTF-8, which no client library lets through: the record is valid all the same."""
    await batches.send(at.world.settings, [records.valid(chance) for _ in range(4)], at.sent)


async def flood(at: Field, chance: random.Random) -> None:
    await librdkafka.send(at.world.settings, records.flood(chance, FLOOD), at.sent, codec="lz4")


async def transactions(at: Field, chance: random.Random) -> None:
    """Committed and aborted ones in turn: the latter are never seen."""
    for commit in (True, False, True):
        found = [records.valid(chance) for _ in range(10)]
        name = f"stranger-{new_id()}"
        await librdkafka.transaction(at.world.settings, name, found, at.sent, commit=commit)


async def open_transactions(at: Field, chance: random.Random) -> None:
    """For a while each keeps what comes after it in its partitions; then it is as if it had not been."""
    found = [records.valid(chance, lanes=[chance.choice(LANES)]) for _ in range(10)]
    name = f"stranger-{new_id()}"
    with at.holding_up():
        await librdkafka.transaction(at.world.settings, name, found, at.sent, commit=False, open_s=_OPEN_S)


async def repeats(at: Field, chance: random.Random) -> None:
    """The same id twice, once in upper case, from clients that write it differently."""
    found = list(itertools.islice(records.repeats(chance), 2 * _FEW))
    chance.shuffle(found)
    await librdkafka.send(at.world.settings, found, at.sent, codec=chance.choice(CODECS))


async def internal_topics(at: Field, chance: random.Random) -> None:
    """Junk where only our own processes write: in every mailbox, and among receipts."""
    settings = at.world.settings
    junk = records.junk_in_mailboxes(chance, settings.partitions_deliveries)
    await librdkafka.send(settings, junk, at.sent, codec=chance.choice(CODECS))
    await librdkafka.send(settings, itertools.islice(records.junk_receipts(chance), _FEW), at.sent)


async def refusing_topics(at: Field, chance: random.Random) -> None:
    """One that our own processes write to, and one of a lane: all go on when they take records again."""
    names = Names(at.world.settings.prefix)
    ours = chance.choice([names.receipts, names.deliveries_bulk, names.deliveries(Lane.URGENT)])
    with at.holding_up():
        await refusals.refuse(at.world.settings, ours)
        await refusals.refuse(at.world.settings, names.notifications(chance.choice(LANES)))


async def crowds(at: Field, chance: random.Random) -> None:
    await publishers.crowd(at.doors, chance, at.sent)


async def keys(at: Field, chance: random.Random) -> None:
    await publishers.reused_keys(at.doors, chance, at.sent)


async def second_thoughts(at: Field, chance: random.Random) -> None:
    await publishers.second_thoughts(at.doors, chance, at.sent)


async def deploys(at: Field, chance: random.Random) -> None:
    at.devices.append(await detours.deploy(at.world.settings, at.doors.gateways, chance, at.sent))


async def resumes(at: Field, chance: random.Random) -> None:
    found = await positions.resume(at.world.settings, at.doors.gateways, chance)
    if not found["greeted"]:
        at.doors.wrong.append(f"nobody with an odd position was greeted: {dict(found)}")


async def tokens(at: Field, chance: random.Random) -> None:
    await doors.odd_tokens(at.doors, chance)


async def requests(at: Field, chance: random.Random) -> None:
    await doors.odd_requests(at.doors, chance)


async def vanishing(at: Field, chance: random.Random) -> None:
    await doors.half_open(at.doors, chance, 90)


async def reading_nothing(at: Field, chance: random.Random) -> None:
    await doors.unread(at.doors, chance, 60)


async def knocking(at: Field, chance: random.Random) -> None:
    await doors.upgrades_without_a_token(at.doors, chance, 400)


KINDS: Final[Mapping[str, Kind]] = {
    "codecs": codecs,
    "Java's console producer": java_client,
    "odd records": odd_records,
    "bad records": bad_records,
    "header names": header_names,
    "transactions": transactions,
    "open transactions": open_transactions,
    "ids in upper case": repeats,
    "junk in internal topics": internal_topics,
    "topics that refuse": refusing_topics,
    "a flood of bad records": flood,
    "a crowd at one publisher": crowds,
    "keys used again": keys,
    "second thoughts": second_thoughts,
    "proxies that deploy": deploys,
    "odd positions": resumes,
    "odd tokens": tokens,
    "odd requests": requests,
    "clients that vanish": vanishing,
    "answers nobody reads": reading_nothing,
    "upgrades without a token": knocking,
}
