"""Where a gateway's code is held: where it asks MongoDB and Kafka, and where it waits for time."""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import uvicorn

from clarion.broker import clients
from clarion.store import mailboxes, sessions
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
from tests.live.actor import ACTOR
from tests.live.gates import Gates

GREETED_WITHIN_S: Final = 0.05  # whoever waits for its session: as without MongoDB


def install(patch: pytest.MonkeyPatch) -> None:
    """Hold every gateway that has an actor."""
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
