"""A storm of connects: what it costs MongoDB, and that nobody misses anything by it."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection

from clarion.broker import clients
from clarion.contracts import times
from clarion.contracts.limits import ITEMS_PER_RECORD
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications, sessions
from clarion.store.driver import database
from clarion.store.driver.database import Database
from tests.conftest import until
from tests.gateways import Own, frame, gateway, greeted, wire
from tests.integration.gateway.delivery.emissions import document, emission
from tests.subprocesses import figures_of

CROWD: Final = 150


async def asked(stored: Database) -> Counter[str]:
    """What the notifications were asked since the profile began."""
    await stored.command("profile", 0)
    found = await stored["system.profile"].find({"ns": f"{stored.name}.notifications"}).to_list(None)
    return Counter(next(iter(operation["command"])) for operation in found if "command" in operation)


async def connected(own: Own, user: str, into: AsyncExitStack) -> ClientConnection:
    socket = await into.enter_async_context(wire(own.url, mint(own.settings, sub=user, scope=SUBSCRIBE)))
    await greeted(socket)
    return socket


@pytest.mark.slow
async def test_a_crowd_with_nothing_waiting_costs_two_queries_a_batch(settings: Settings, tmp_path: Path) -> None:
    stored = database.connect(settings)
    async with gateway(settings, tmp_path, connections_per_ip=0, upgrades_per_s=0) as own, AsyncExitStack() as crowd:
        # what was delivered long ago, or is somebody else's, is nothing to read
        old = document("user-0", 5, state="delivered", delivered_at=times.now() - timedelta(hours=1))
        await notifications.collection(stored).insert_many([old, document("somebody else", 6)])
        await stored.command("profile", 2)
        sockets = await asyncio.gather(*(connected(own, f"user-{n}", crowd) for n in range(CROWD)))
        assert await sessions.collection(stored).count_documents({}) == CROWD

        # all are live: what comes is pushed
        producer = clients.producer(settings)
        await producer.start()
        mailbox = (await own.figures())["mailbox"]
        for n in range(0, CROWD, 10):
            new = emission(document(f"user-{n}", 10 + n))
            await producer.send_and_wait(Names(settings.prefix).deliveries_bulk, new, partition=mailbox)
        await producer.stop()
        for n in range(0, CROWD, 10):
            assert [item["message"] for item in (await frame(sockets[n], "batch"))["items"]] == [str(10 + n)]
        operations = await asked(stored)
    assert operations["distinct"] <= CROWD / 2, "a query for many"
    assert operations["find"] == 0, "nobody reads"
    # unread counts are aggregates, too
    assert operations["aggregate"] == CROWD + operations["distinct"]
    database.close(stored)


@pytest.mark.slow
async def test_in_a_crowd_whoever_has_something_waiting_gets_it(settings: Settings, tmp_path: Path) -> None:
    stored = database.connect(settings)
    async with gateway(settings, tmp_path, connections_per_ip=0, upgrades_per_s=0) as own, AsyncExitStack() as crowd:
        just_now: dict[str, Any] = {"state": "delivered", "delivered_at": times.now() + timedelta(minutes=1)}
        waiting = [document(f"user-{n}", n) for n in range(0, CROWD, 3)]
        on_another_device = [document(f"user-{n}", n, **just_now) for n in range(1, CROWD, 3)]
        await notifications.collection(stored).insert_many([*waiting, *on_another_device])
        sockets = await asyncio.gather(*(connected(own, f"user-{n}", crowd) for n in range(CROWD)))
        for n, socket in enumerate(sockets):
            if n % 3 < 2:
                assert [item["message"] for item in (await frame(socket, "batch"))["items"]] == [str(n)]

        async def all_are_done() -> bool:
            return (await own.figures())["catching_up"] == 0

        await until(all_are_done)
    database.close(stored)


async def test_the_prefetch_of_a_stalled_client_is_dropped_not_lost(settings: Settings, tmp_path: Path) -> None:
    stored = database.connect(settings)
    waiting = [document("ann", n) for n in range(300)]
    await notifications.collection(stored).insert_many(waiting)
    async with gateway(settings, tmp_path) as own, AsyncExitStack() as ann:

        async def nothing_is_kept() -> bool:
            return (await figures_of(own.settings.admin_port))["clarion_ahead_bytes"] == 0

        socket = await connected(own, "ann", ann)
        said: list[str] = []

        async def read_up_to(count: int) -> int:
            """The tag of the last frame."""
            while True:
                batch = await frame(socket, "batch")
                said.extend(item["message"] for item in batch["items"])
                if len(said) >= count:
                    return batch["tag"]

        tag = await read_up_to(ITEMS_PER_RECORD)
        await until(nothing_is_kept)
        while len(said) < len(waiting):
            await socket.send(f'{{"op":"ack","tag":{tag}}}')
            tag = await read_up_to(len(said) + 1)
        assert said == [str(n) for n in range(300)]
    database.close(stored)
