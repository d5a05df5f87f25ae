"""A Clarion of its own under load: every kind of record that a sender may send, and every end that it may have."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import psutil
from confluent_kafka import Producer

from clarion.broker import clients, group_offsets
from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.partitioner import partition_of
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.limits import UNPACKED_BYTES
from clarion.contracts.records import notification, receipts
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.receipts import Op, Receipt, Unfound
from clarion.contracts.topics import Names
from clarion.operating.ledger.audit import audited
from clarion.operating.ledger.judging.states import Fault, Finding, Home
from clarion.operating.ledger.report import Report, Span
from clarion.settings import Settings
from clarion.store import notifications, scheduled
from clarion.store.driver import database
from clarion.store.driver.database import Database, Document
from tests.conftest import until
from tests.subprocesses import child, env_of

SENDER: Final = "s"
STARTS_S: Final = 90.0  # four processes, on a busy machine
_ROLES: Final = ("lane --lane normal", "lane --lane urgent", "scheduler", "receipts")


@dataclass(slots=True)
class World:
    """The running processes, what was published, and in which state each of it has to end."""

    settings: Settings
    stored: Database
    producer: Any
    processes: dict[str, psutil.Process]
    expected: Counter[Home] = field(default_factory=Counter[Home])
    ids: dict[str, list[str]] = field(default_factory=dict[str, list[str]])  # by kind of record
    aborted: list[Partition] = field(default_factory=list[Partition])
    touched: set[Partition] = field(default_factory=set[Partition])  # their commits were changed by hand

    @property
    def names(self) -> Names:
        return Names(self.settings.prefix)

    def lane(self, lane: Lane = Lane.NORMAL) -> str:
        return self.names.notifications(lane)

    async def send(self, *records: dict[str, Any]) -> None:
        await clients.send_all(self.producer, records)

    def note(self, kind: str, home: Home, *items: Notification) -> None:
        self.expected[home] += len(items)
        self.ids.setdefault(kind, []).extend(str(item.id) for item in items)

    async def tell(self, op: Op, user: str, ids: list[str], **more: Any) -> None:
        value = receipts.encode(Receipt(user, op, ids, times.now(), **more))
        await self.send({"topic": self.names.receipts, "key": user.encode(), "value": value})

    async def document(self, id_: str) -> Document:
        found = await notifications.collection(self.stored).find_one({"_id": id_})
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def world_of(settings: Settings) -> AsyncGenerator[World]:
    limits = {"CLARION_ADMIN_PORT": "0", "CLARION_RECIPIENT_RATE": "1", "CLARION_RECIPIENT_BURST": "30"}
    stored = database.connect(settings)
    async with contextlib.AsyncExitStack() as exits:
        exits.callback(database.close, stored)
        producer: Any = await exits.enter_async_context(clients.producer(settings))
        processes = {
            role: await exits.enter_async_context(
                child(["-m", "clarion.cli", "stream", "--role", *role.split()], env_of(settings) | limits)
            )
            for role in _ROLES
        }
        yield World(settings, stored, producer, processes)


def item(user: str, message: str = "m", **fields: Any) -> Notification:
    fields = {"id": new_id(), "created_at": times.now(), **fields}
    return Notification(type="t", message=message, recipient=user, sender=SENDER, **fields)


def record(topic: str, one: Notification, **more: Any) -> dict[str, Any]:
    return {"topic": topic, "key": one.recipient.encode(), "value": notification.encode(one), **more}


async def publish(world: World, number: int) -> None:
    """A record of every kind, to users of their own."""
    user, lane = f"user-{number}-{new_id()}", world.lane()
    await _plain(world, user, lane)
    await _odd(world, user, lane)
    await _later(world, user, lane)
    await _ending(world, user, lane)
    await _flood(world, f"flood-{number}", lane)


async def _plain(world: World, user: str, lane: str) -> None:
    plain = [item(user, message=str(n), data={"n": n / 2}) for n in range(6)]
    urgent = [item(user, message=str(n)) for n in range(4)]
    await world.send(*(record(lane, one) for one in plain), *(record(world.lane(Lane.URGENT), one) for one in urgent))
    world.note("plain", Home.PENDING, *plain, *urgent)
    again = item(user, message="again")
    await world.send(*[record(lane, again)] * 3)
    world.note("repeated", Home.PENDING, again)
    nameless = item(user, message=f"no id {user}", id=None)
    await world.send(record(lane, nameless))
    world.expected[Home.PENDING] += 1
    astray = item(user, message="astray")
    wrong = (partition_of(user, world.settings.partitions_lane) + 1) % world.settings.partitions_lane
    await world.send(record(lane, astray, partition=wrong))
    world.note("astray", Home.PENDING, astray)


async def _odd(world: World, user: str, lane: str) -> None:
    first = item(user, message="first")
    second = Notification(type="t", message="second", recipient=user, sender=SENDER, id=first.id)
    await world.send(record(lane, first), record(lane, second))
    world.note("first of two", Home.PENDING, first)
    bad = [b"{", None, notification.encode(item(user)).replace(b'"m"', b'" "')]
    await world.send(*({"topic": lane, "key": user.encode(), "value": value} for value in bad))
    await world.send({"topic": world.names.scheduled, "key": user.encode(), "value": b"[]"})
    world.expected[Home.DEAD] += 5


async def _later(world: World, user: str, lane: str) -> None:
    due = times.now() + timedelta(hours=1)
    later, early, back = (item(user, message=name, deliver_at=due) for name in ("later", "early", "taken back"))
    soon = item(user, message="soon", deliver_at=times.now() + timedelta(seconds=1))
    held = world.names.scheduled
    await world.send(record(held, later), record(lane, early), record(held, back), record(held, soon))
    world.note("later", Home.SCHEDULED, later)
    world.note("early", Home.SCHEDULED, early)
    world.note("soon", Home.PENDING, soon)
    await until(lambda: _is_held(world, str(back.id)), STARTS_S)
    await world.tell(Op.RETRACTED, user, [str(back.id)])
    world.note("held and taken back", Home.RETRACTED, back)


async def _is_held(world: World, id_: str) -> bool:
    return await scheduled.collection(world.stored).find_one({"_id": id_}) is not None


async def _ending(world: World, user: str, lane: str) -> None:
    now = times.now()
    expired, expiring = (item(user, message="e", expires_at=now + timedelta(seconds=s)) for s in (-1, 2))
    updates = [item(user, message=str(n), collapse_key="k") for n in range(3)]
    names = ("delivered", "read", "archived", "gone", "early", "unfound")
    by_name = {name: item(user, message=name) for name in names}
    delivered, read, archived, gone, early, unfound = by_name.values()
    ids = {name: str(one.id) for name, one in by_name.items()}
    await world.tell(Op.DELIVERED, user, [ids["early"]], unstored=True)
    await world.tell(Op.RETRACTED, ids["unfound"], [ids["unfound"]], unfound=Unfound(SENDER))
    everything = (expired, expiring, *updates, delivered, read, archived, gone, unfound)
    await world.send(*(record(lane, one) for one in everything), record(world.lane(Lane.URGENT), early))
    world.note("expired", Home.EXPIRED, expired, expiring)
    world.note("collapsed", Home.COLLAPSED, *updates[:2])
    world.note("newest", Home.PENDING, updates[2])
    world.note("delivered", Home.DELIVERED, delivered, read, archived, early)
    world.note("retracted", Home.RETRACTED, gone, unfound)
    await until(lambda: _are_stored(world, [ids["delivered"], ids["read"], ids["archived"], ids["gone"]]), STARTS_S)
    for op, name in ((Op.DELIVERED, "delivered"), (Op.READ, "read"), (Op.ARCHIVED, "archived"), (Op.RETRACTED, "gone")):
        await world.tell(op, user, [ids[name]])


async def _are_stored(world: World, ids: list[str]) -> bool:
    return await notifications.collection(world.stored).count_documents({"_id": {"$in": ids}}) == len(ids)


async def _flood(world: World, user: str, lane: str) -> None:
    """More than the limit of 30 at once and 1 a second."""
    flood = [item(user, message=str(n)) for n in range(60)]
    await world.send(*(record(lane, one) for one in flood))
    world.ids.setdefault("flood", []).extend(str(one.id) for one in flood)


async def publish_strange_batches(world: World) -> None:
    """A batch that cannot be unpacked, and transactions: one aborted, one committed."""
    user, lane = f"strange-{new_id()}", world.lane()
    partition = partition_of(user, world.settings.partitions_lane)
    kept = item(user, message="of a transaction")

    def produce() -> None:
        plain = Producer(
            {
                "bootstrap.servers": world.settings.kafka,
                "compression.type": "zstd",
                "message.max.bytes": 2 * UNPACKED_BYTES,
            }
        )
        refused: list[object] = []
        plain.produce(
            lane,
            bytes(UNPACKED_BYTES + 1),
            key=user.encode(),
            partition=partition,
            on_delivery=lambda error, _: refused.append(error),
        )
        assert plain.flush(20) == 0
        assert refused == [None]
        through = Producer({"bootstrap.servers": world.settings.kafka, "transactional.id": new_id()})
        through.init_transactions(30)
        for one, commits in ((item(user, message="aborted"), False), (kept, True)):
            through.begin_transaction()
            through.produce(lane, notification.encode(one), key=user.encode(), partition=partition)
            assert through.flush(30) == 0
            (through.commit_transaction if commits else through.abort_transaction)(30)

    await asyncio.to_thread(produce)
    world.note("plain", Home.PENDING, kept)
    world.expected[Home.DEAD] += 1
    world.aborted.append(Partition(lane, partition))


# ---- the audit


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit has found, after its end."""

    report: Report
    findings: list[Finding]

    @property
    def named(self) -> set[tuple[Fault, str]]:
        """Each finding by its id, or else its place."""
        return {(one.fault, one.id or f"{one.topic}/{one.partition}/{one.offset}") for one in self.findings}

    @property
    def homes(self) -> Counter[Home]:
        return +self.report.balance.homes


async def audit(world: World, since: datetime | None = None, until: datetime | None = None) -> Audited:
    def ignore(what: str, done: int, of: int) -> None:
        pass

    span = Span(since, until)
    async with audited(world.settings, world.stored, span, ignore, settle_s=0.3, cache_kib=256) as report:
        return Audited(report, list(report.findings()))


async def all_is_done(world: World) -> None:
    """Wait until everything is committed, and in its last state."""

    async def is_done() -> bool:
        found = await audit(world)
        homes = found.homes
        throttled = homes.pop(Home.THROTTLED, 0)
        flooded = len(world.ids.get("flood", []))
        homes[Home.PENDING] -= flooded - throttled
        return homes == world.expected and homes[Home.IN_KAFKA] == 0

    await until(is_done, STARTS_S)


async def commits(world: World, group: str) -> dict[Partition, int]:
    async with group_offsets.asking(world.settings) as admin:
        told = await group_offsets.committed(admin, [world.names.group(group)])
    return {one: commit.offset for one, commit in told.items()}


async def all_is_committed(world: World) -> None:
    async def is_committed() -> bool:
        told = await commits(world, "normal")
        ends = await group_offsets.ends(world.settings, list(told))
        return told == ends

    await until(is_committed)
