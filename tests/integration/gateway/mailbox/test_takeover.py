"""Gateways that lose their mailboxes: one slept for longer than its lease, one cannot reach MongoDB, and only that."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from clarion.client import Lane, Publisher, Submission
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import mailboxes
from clarion.store.driver import database
from clarion.store.mailboxes import TAKE_AFTER_S
from deploy.local.stack import Stack
from services.gateway.client.connection import MAILBOX_LOST, STOPPING
from tests.conftest import until
from tests.gateways import Own, gateway, greeted, wire
from tests.proxy import mongodb_at, proxied
from tests.subprocesses import child, env_of

pytestmark = pytest.mark.slow


class Listening:
    """A client that acknowledges whatever comes, until it is sent away."""

    def __init__(self, socket: ClientConnection) -> None:
        self.said: list[str] = []
        self.bye = ""
        self.code = 0
        self.ended = asyncio.create_task(self._read(socket))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                got = json.loads(await socket.recv())
                if got["op"] == "batch":
                    self.said += [item["message"] for item in got["items"]]
                    await self._send(socket, f'{{"op":"ack","tag":{got["tag"]}}}')
                elif got["op"] == "ping":
                    await self._send(socket, '{"op":"pong"}')
                elif got["op"] == "bye":
                    self.bye = got["reason"]
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else 1006

    async def _send(self, socket: ClientConnection, text: str) -> None:
        with suppress(ConnectionClosed):  # what came before the end is still to be read
            await socket.send(text)

    async def heard(self, message: str) -> None:
        async def has() -> bool:
            assert not self.code, f"sent away: {self.code} {self.bye}"
            return message in self.said

        await until(has)


@asynccontextmanager
async def listening(own: Own, user: str) -> AsyncGenerator[Listening]:
    async with wire(own.url, mint(own.settings, sub=user, scope=SUBSCRIBE)) as socket:
        await greeted(socket)
        one = Listening(socket)
        try:
            yield one
        finally:
            one.ended.cancel()


@pytest.mark.timeout(180)
async def test_losing_a_mailbox_sends_all_away_and_loses_nothing(
    settings: Settings, stack: Stack, tmp_path: Path
) -> None:
    """Two mailboxes, and two gateways more than that: the heirs take over what was not renewed for the lease time."""
    connection = database.connect(settings)
    leases = mailboxes.collection(connection)
    settings = msgspec.structs.replace(settings, partitions_deliveries=2, drain_s=0.0, admin_port=0)
    stream = ("-m", "clarion.cli", "stream", "--role")
    async with (
        Publisher.kafka(settings.kafka, sender="tests", prefix=settings.prefix) as publisher,
        child((*stream, "lane", "--lane", Lane.HIGH), env_of(settings)),
        child((*stream, "receipts"), env_of(settings)),
        proxied("127.0.0.1", stack.ports["mongodb"]) as way,
        gateway(settings, tmp_path) as sleeper,
        gateway(settings, tmp_path, mongodb=mongodb_at(way.port)) as cut_off,
        AsyncExitStack() as heirs,
    ):

        async def tell(message: str, *users: str) -> None:
            wanted = [Submission(type="t", message=message, recipient=user, priority=Lane.HIGH) for user in users]
            assert all(result.id for result in await publisher.publish_many(wanted))

        async with listening(sleeper, "ann") as ann, listening(cut_off, "bob") as bob:
            await tell("hello", "ann", "bob")
            await asyncio.gather(ann.heard("hello"), bob.heard("hello"))
            sleeper.process.send_signal(signal.SIGSTOP)
            way.cut()
            coming = [asyncio.create_task(heirs.enter_async_context(gateway(settings, tmp_path))) for _ in "12"]
            await tell("asleep", "ann", "bob")
            await bob.heard("asleep")
            await asyncio.sleep(TAKE_AFTER_S - 5)
            # its lease is as good as gone; nobody else has it yet
            await tell("cut off", "bob")
            await bob.heard("cut off")
            assert {lease.epoch for lease in (await mailboxes.find_all(leases)).values()} == {1}
            heir, another = await asyncio.gather(*coming)
            assert {lease.epoch for lease in (await mailboxes.find_all(leases)).values()} == {2}
            # found by the fence: MongoDB, which would tell as well, cannot be asked
            await asyncio.wait_for(bob.ended, 20)
            assert (bob.bye, bob.code) == (MAILBOX_LOST, 1012)
            await tell("in between", "ann", "bob")
            assert not ann.code
            sleeper.process.send_signal(signal.SIGCONT)
            await asyncio.wait_for(ann.ended, 20)
            assert (ann.bye, ann.code) == (MAILBOX_LOST, 1012)
        assert "was fenced by" in cut_off.log.read_text()
        async with listening(heir, "ann") as ann, listening(another, "bob") as bob:
            await asyncio.gather(ann.heard("in between"), bob.heard("in between"))
            await tell("and on", "ann", "bob")
            await asyncio.gather(ann.heard("and on"), bob.heard("and on"))
            await _overlook_nothing(heir, another)
            heir.process.terminate()
            another.process.terminate()
            await asyncio.gather(ann.ended, bob.ended)
            assert (ann.bye, bob.bye) == (STOPPING, STOPPING)
        way.is_cut = False  # both wait for a mailbox, and take what the heirs give back

        async def serve_again() -> bool:
            return await sleeper.unready() == await cut_off.unready() == []

        await until(serve_again)
        async with listening(sleeper, "ann") as ann, listening(cut_off, "bob") as bob:
            await tell("again", "ann", "bob")
            await asyncio.gather(ann.heard("again"), bob.heard("again"))
            await _overlook_nothing(sleeper, cut_off)
        assert {lease.epoch for lease in (await mailboxes.find_all(leases)).values()} == {3}
    database.close(connection)


async def _overlook_nothing(*gateways: Own) -> None:
    nets = await asyncio.gather(*(each.looked() for each in gateways))
    assert [net.overlooked for net in nets] == [0] * len(gateways)
