"""Gateways that were killed leave nothing behind that costs anybody anything, without a new gateway coming."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from clarion.broker import clients
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import mailboxes, sessions
from clarion.store.driver.database import Database
from clarion.store.mailboxes import TAKE_AFTER_S, Lease
from services.gateway.mailbox.abandoned import SWEEP_EVERY_S, AbandonedMailboxes
from services.gateway.mailbox.lease import LeaseLost
from services.gateway.mailbox.reader import MailboxReader
from tests.conftest import until
from tests.gateways import close_code, gateway, greeted, wire
from tests.subprocesses import figures_of

GONE_WITHIN_S = 70.0  # 40 s, and a busy machine


@pytest.fixture
async def producer(settings: Settings) -> AsyncGenerator[AIOKafkaProducer]:
    async with clients.producer(settings) as one:
        yield one


async def leased(own: Database, mailbox: int, user: str) -> Lease:
    """To an owner of that name, where `user` is."""
    lease = await mailboxes.create(mailboxes.collection(own), mailbox, f"owner of {mailbox}")
    assert lease is not None
    await write(own, lease, user)
    return lease


async def write(own: Database, lease: Lease, user: str) -> None:
    await sessions.write(sessions.collection(own), [sessions.present(user, lease.mailbox, lease.epoch, 1)])


async def online(own: Database, *users: str) -> dict[str, set[int]]:
    return await sessions.route(sessions.collection(own), users)


async def test_a_lease_not_renewed_is_cleared_and_its_owner_is_told(
    settings: Settings, own: Database, producer: AIOKafkaProducer
) -> None:
    leases, names = mailboxes.collection(own), Names(settings.prefix)
    mine, dead, alive = [await leased(own, number, user) for number, user in enumerate(("ann", "bob", "cy"))]
    paused = MailboxReader(dead, names, lambda _: (), lambda: None)
    clearing = AbandonedMailboxes(mine, 3, own, producer, names)
    async with paused.positioned(settings, producer) as consumers:
        for now in range(0, int(TAKE_AFTER_S), 5):
            await clearing.look(now)
            assert await mailboxes.renew(leases, alive)
        assert await online(own, "ann", "bob", "cy") == {"ann": {0}, "bob": {1}, "cy": {2}}
        await clearing.look(TAKE_AFTER_S)
        assert await online(own, "ann", "bob", "cy") == {"ann": {0}, "cy": {2}}
        for consumer in consumers:
            with pytest.raises(LeaseLost):
                await asyncio.wait_for(paused.read(consumer), 10)
    assert await mailboxes.renew(leases, dead) is None
    after = await mailboxes.find_all(leases)
    assert [(lease.owner, lease.epoch) for lease in after.values()] == [("owner of 0", 1), ("", 2), ("owner of 2", 1)]


async def test_a_session_written_after_the_sweep_goes_with_the_next(
    settings: Settings, own: Database, producer: AIOKafkaProducer
) -> None:
    """By an owner that slept and has not found out yet, or by a write that had timed out."""
    leases = mailboxes.collection(own)
    mine, dead, moved = [await leased(own, number, user) for number, user in enumerate(("ann", "bob", "cy"))]
    clearing = AbandonedMailboxes(mine, 3, own, producer, Names(settings.prefix))
    await clearing.look(0)
    await clearing.clear(dead)
    heir = await mailboxes.take(leases, moved, "heir")
    assert heir is not None
    await write(own, heir, "di")
    await write(own, dead, "bob")  # a mailbox that nobody has
    await write(own, replace(dead, epoch=2), "eve")  # of its latest epoch, too
    await clearing.look(SWEEP_EVERY_S - 1)
    assert await online(own, "ann", "bob", "cy", "di", "eve") == {
        "ann": {0},
        "bob": {1},
        "cy": {2},
        "di": {2},
        "eve": {1},
    }
    await clearing.look(SWEEP_EVERY_S)
    assert await online(own, "ann", "bob", "cy", "di", "eve") == {"ann": {0}, "di": {2}}


async def test_one_gateway_alone_clears_an_abandoned_mailbox(
    settings: Settings, own: Database, producer: AIOKafkaProducer
) -> None:
    dead = await leased(own, 0, "ann")
    both = [AbandonedMailboxes(Lease(n, f"g{n}", 1, 0), 3, own, producer, Names(settings.prefix)) for n in (1, 2)]
    await asyncio.gather(*(each.clear(dead) for each in both))
    (after,) = (await mailboxes.find_all(mailboxes.collection(own))).values()
    assert (after.owner, after.epoch) == ("", 2)


@asynccontextmanager
async def staying(socket: ClientConnection) -> AsyncGenerator["asyncio.Task[None]"]:
    """A client that answers pings. Done, with an error, when it is sent away."""

    async def answer() -> None:
        async for text in socket:
            if json.loads(text)["op"] == "ping":
                await socket.send('{"op":"pong"}')
        raise ConnectionClosed(socket.protocol.close_rcvd, None)

    task = asyncio.create_task(answer())
    try:
        yield task
    finally:
        task.cancel()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_dead_gateways_sessions_go_and_its_mailbox_is_free(
    settings: Settings, own: Database, tmp_path: Path
) -> None:
    async with (
        gateway(settings, tmp_path) as living,
        gateway(settings, tmp_path) as killed,
        gateway(settings, tmp_path) as paused,
        wire(living.url, mint(settings, sub="ann", scope=SUBSCRIBE)) as ann,
        wire(killed.url, mint(settings, sub="bob", scope=SUBSCRIBE)) as bob,
        wire(paused.url, mint(settings, sub="cy", scope=SUBSCRIBE)) as cy,
    ):
        for socket in (ann, bob, cy):
            await greeted(socket)
        async with staying(ann) as anns:
            killed.process.kill()
            paused.process.send_signal(signal.SIGSTOP)
            began = time.monotonic()

            async def only_ann_is_left() -> bool:
                if anns.done():
                    anns.result()  # tells why
                return await online(own, "ann", "bob", "cy") == {"ann": {(await living.figures())["mailbox"]}}

            async def one_has_an_owner() -> bool:
                found = (await mailboxes.find_all(mailboxes.collection(own))).values()
                return sorted((lease.epoch, bool(lease.owner)) for lease in found) == [
                    (1, True),
                    (2, False),
                    (2, False),
                ]

            await until(only_ann_is_left, within_s=GONE_WITHIN_S)
            await until(one_has_an_owner, within_s=began + GONE_WITHIN_S - time.monotonic())
            assert (await figures_of(living.settings.admin_port))["clarion_mailboxes_cleared_total"] == 2
            # it was not dead: it finds the fence or the epoch, sends its clients away, and serves another mailbox
            paused.process.send_signal(signal.SIGCONT)
            assert await close_code(cy) == 1012

            async def serves_again() -> bool:
                return await paused.unready() == []

            await until(serves_again)
            assert not anns.done()
