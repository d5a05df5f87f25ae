"""Where the services' code is held: at the functions by which it asks MongoDB and Kafka, and where it waits for time.

Whose call it is, is told by the task: `ACTOR`. Calls of nobody go through.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import uvicorn

from clarion.broker import clients
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Unstored
from clarion.store import mailboxes, sessions
from clarion.store.mailboxes import Lease
from clarion.web.admin import Server
from services.gateway import main as gateway_main
from services.gateway import server as gateway_server
from services.gateway.access import connect
from services.gateway.access.connect import Connector
from services.gateway.delivery import prefetch
from services.gateway.delivery.catchup import CatchUp
from services.gateway.hub import Hub
from services.gateway.mailbox import abandoned, lease, reader
from services.gateway.mailbox.abandoned import AbandonedMailboxes
from services.gateway.mailbox.lease import ObservedLeases
from services.gateway.mailbox.reader import MailboxReader
from services.gateway.mailbox.session_writer import SessionWriter
from services.stream.lanes import lane, urgent
from services.stream.lanes.lane import LaneWork
from tests.live.gates import Gates

GREETED_WITHIN_S: Final = 0.05  # whoever waits for its session: as without MongoDB


Chore = Callable[[AbandonedMailboxes, Mapping[int, Lease]], Awaitable[None]]


@dataclass(slots=True)
class Actor:
    """`wish` is the mailbox a gateway is to take, `chore` what it is to do for dead ones; `late` are its session writes
    that are to land a second time.
    """

    gates: Gates = field(default_factory=Gates)
    lanes: frozenset[Lane] = frozenset()
    gateway: Hub | None = None
    wish: int | None = None
    chore: Chore | None = None
    times_out: bool = False
    late: list[Callable[[], Awaitable[object]]] = field(default_factory=list[Callable[[], Awaitable[object]]])
    consumers: list[Any] = field(default_factory=list[Any])
    end_server: Callable[[], Awaitable[None]] | None = None
    only_mailbox: int | None = None  # that a worker emits to, before it crashes
    has_emitted: asyncio.Event = field(default_factory=asyncio.Event)
    early: set[str] = field(default_factory=set[str])  # ids that a worker has sent before they were stored


ACTOR: Final[ContextVar[Actor | None]] = ContextVar("actor", default=None)
OFFSET: Final[ContextVar[int]] = ContextVar("offset")  # of a worker's window


def install(patch: pytest.MonkeyPatch, slowness: asyncio.Event) -> None:
    """Hold everybody. `slowness` is set while MongoDB takes too long."""
    _gateways(patch)
    _workers(patch, slowness)


# ---- gateways


def _gateways(patch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("TAKE_AFTER_S", 0.0), ("RENEW_EVERY_S", 0.01), ("KNOWN_AFTER_S", 0.0), ("POLL_S", 0.01)):
        patch.setattr(lease, name, seconds)
    patch.setattr(connect, "STORE_WITHIN_S", GREETED_WITHIN_S)
    patch.setattr(prefetch, "KEPT_S", math.inf)  # it is let go of when the schedule says so
    _before(patch, mailboxes, "find_all", "look")
    _before(patch, mailboxes, "renew", "renew")
    _before(patch, sessions, "sweep", "sweep")
    _leases(patch)
    _clearing_up(patch)
    _session_writes(patch)
    _arrivals_and_reads(patch)
    _mailbox(patch)


def _before(patch: pytest.MonkeyPatch, module: Any, name: str, point: str) -> None:
    """Hold calls of `module.name` at `point`."""
    real = getattr(module, name)

    async def held(*args: Any) -> Any:
        if (actor := ACTOR.get()) is None:
            return await real(*args)
        async with actor.gates.at(point):
            return await real(*args)

    patch.setattr(module, name, held)


def _leases(patch: pytest.MonkeyPatch) -> None:
    candidates, make = ObservedLeases.candidates, gateway_main.make

    def wished(observed: ObservedLeases, *args: Any) -> list[int]:
        found, actor = candidates(observed, *args), ACTOR.get()
        return found if actor is None else [number for number in found if number == actor.wish]

    def known(*args: Any) -> Hub:
        gateway = make(*args)
        if actor := ACTOR.get():
            actor.gateway = gateway
        return gateway

    patch.setattr(ObservedLeases, "candidates", wished)
    patch.setattr(gateway_main, "make", known)
    patch.setattr(gateway_server, "serve", _serve)


def _clearing_up(patch: pytest.MonkeyPatch) -> None:
    look = AbandonedMailboxes.look

    async def wished(clearing: AbandonedMailboxes, now: float) -> None:
        """Only what the schedule says: here every lease counts as stale."""
        if (actor := ACTOR.get()) is None:
            await look(clearing, now)
            return
        async with actor.gates.at("clear up"):
            chore, actor.chore = actor.chore, None
            if chore is not None:
                own = ACTOR.set(None)
                try:
                    await chore(clearing, await mailboxes.find_all(mailboxes.collection(clearing.stored)))
                finally:
                    ACTOR.reset(own)

    patch.setattr(abandoned, "LOOK_EVERY_S", 0.01)
    patch.setattr(AbandonedMailboxes, "look", wished)


async def _serve(config: uvicorn.Config, *, server_class: type[Server]) -> None:
    """Until its actor ends it: a process that crashes leaves its sockets to the system, a task must close them."""
    actor = ACTOR.get()
    assert actor is not None
    server = server_class(config)
    serving = asyncio.ensure_future(server.serve())

    async def end() -> None:
        server.force_exit = True
        server.end()
        await serving

    actor.end_server = end
    await asyncio.Event().wait()


def _session_writes(patch: pytest.MonkeyPatch) -> None:
    flush, write = SessionWriter.flush, sessions.write

    async def held(session_writer: SessionWriter) -> None:
        """Before the notes are taken: those that come meanwhile go with them."""
        if (actor := ACTOR.get()) is None:
            return await flush(session_writer)
        async with actor.gates.at("sessions"):
            return await flush(session_writer)

    async def twice(collection: Any, changes: Any) -> dict[int, str]:
        if (actor := ACTOR.get()) and actor.times_out:
            actor.times_out = False
            actor.late.append(lambda: write(collection, changes))
        return await write(collection, changes)

    patch.setattr(SessionWriter, "flush", held)
    patch.setattr(sessions, "write", twice)


def _arrivals_and_reads(patch: pytest.MonkeyPatch) -> None:
    arrived, read = Connector._arrived, CatchUp._read

    async def told(admitting: Connector, connection: Any, arriving: Any) -> Any:
        found = await arrived(admitting, connection, arriving)
        if actor := ACTOR.get():
            await actor.gates.hold(("told", connection))
        return found

    async def answered(reading: CatchUp, connection: Any, issued: Any) -> Any:
        actor = ACTOR.get()
        if actor is None or issued.lane not in actor.lanes:
            return await read(reading, connection, issued)
        async with actor.gates.at(("read", connection)):
            if (fresh := connection.feed.next_read(issued.limit)) and fresh.lane is issued.lane:
                for name in fresh.__slots__:  # issued when it is let through, and not when it came to the gate
                    object.__setattr__(issued, name, getattr(fresh, name))
            found = await read(reading, connection, issued)
        await actor.gates.hold(("answer", connection))
        return found

    patch.setattr(Connector, "_arrived", told)
    patch.setattr(CatchUp, "_read", answered)


def _mailbox(patch: pytest.MonkeyPatch) -> None:
    positioned, consumer = MailboxReader.positioned, clients.mailbox_consumer

    @asynccontextmanager
    async def fenced(its: MailboxReader, *args: Any) -> AsyncGenerator[list[Any]]:
        if actor := ACTOR.get():
            await actor.gates.hold("fence")
        async with positioned(its, *args) as consumers:
            yield consumers

    def one_by_one(settings: Any) -> Any:
        actor = ACTOR.get()
        if actor is None:
            return consumer(settings)
        actor.consumers.append(consumer(settings))
        return OneByOne(actor.consumers[-1], actor.gates)

    patch.setattr(MailboxReader, "positioned", fenced)
    patch.setattr(reader.clients, "mailbox_consumer", one_by_one)


class OneByOne:
    """A mailbox's consumer that brings a single record for each leave, as the partition stands then."""

    def __init__(self, real: Any, gates: Gates) -> None:
        self._real, self._gates = real, gates

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def getmany(self, *, timeout_ms: int) -> Any:
        (partition,) = self._real.assignment()
        async with self._gates.at(("mailbox", partition.topic)):
            if self._gates.is_open:
                return await self._real.getmany(timeout_ms=timeout_ms)
            # what was fetched ahead is let go: it may have fallen out of retention since
            self._real.seek(partition, await self._real.position(partition))
            return await self._real.getmany(timeout_ms=5_000, max_records=1)


# ---- workers


def _workers(patch: pytest.MonkeyPatch, slowness: asyncio.Event) -> None:
    store, route, emit, send = lane.store, LaneWork.route, LaneWork.emit, LaneWork.send

    async def held_store(*args: Any) -> Any:
        if (actor := ACTOR.get()) is None:
            return await store(*args)
        async with actor.gates.at(("store", OFFSET.get())):
            return await store(*args)

    async def held_route(work: LaneWork, outcome: Any) -> Any:
        if (actor := ACTOR.get()) is None:
            return await route(work, outcome)
        async with actor.gates.at(("route", OFFSET.get())):
            return await route(work, outcome)

    async def held_emit(work: LaneWork, *args: Any) -> None:
        if actor := ACTOR.get():
            await actor.gates.hold(("emit", OFFSET.get()))
        await emit(work, *args)

    async def held_send(work: LaneWork, records: Any) -> None:
        actor = ACTOR.get()
        # what comes late is sent so as well, but beside its twin in the lane's order
        found = [_early(record["value"]) for record in records]
        early = {item.id for items in found for item in items} if all(found) else set[str]()
        if actor is None:
            await send(work, records)
        elif early:
            async with actor.gates.at("early"):
                await send(work, records)
                actor.early |= early
        elif actor.only_mailbox is None:
            await send(work, records)
        else:
            await send(work, [record for record in records if record["partition"] == actor.only_mailbox])
            actor.has_emitted.set()
            await asyncio.Event().wait()  # it crashes here

    patch.setattr(lane, "store", held_store)
    patch.setattr(LaneWork, "route", held_route)
    patch.setattr(LaneWork, "emit", held_emit)
    patch.setattr(LaneWork, "send", held_send)
    patch.setattr(urgent, "asyncio", Patience(slowness))


def _early(value: bytes) -> list[Any]:
    record = deliveries.decode(value)
    return list(record.items) if isinstance(record, Unstored) else []


class Patience:
    """asyncio for the urgent lane: `wait` with a timeout gives up when MongoDB is said to be slow, and not by time."""

    def __init__(self, slowness: asyncio.Event) -> None:
        self._slowness = slowness

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def wait(self, asking: list[Any], timeout: float | None = None) -> Any:  # noqa: ASYNC109 - asyncio's own
        if timeout is None:
            return await asyncio.wait(asking)
        slow = asyncio.ensure_future(self._slowness.wait())
        try:
            return await asyncio.wait([*asking, slow], return_when=asyncio.FIRST_COMPLETED)
        finally:
            slow.cancel()
