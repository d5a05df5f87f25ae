"""A gateway that is told to stop: it sends its clients away at a pace, and leaves nothing behind."""

import asyncio
import json
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from clarion.contracts import times
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import mailboxes, notifications, sessions
from clarion.store.driver import database
from deploy.local.stack import Stack
from tests import schema_checks
from tests.conftest import until
from tests.gateways import Own, gateway, greeted, wire
from tests.integration.gateway.http.asking import document, store

pytestmark = pytest.mark.slow

CLIENTS: Final = 400
DRAIN_S: Final = 6.0


@dataclass(frozen=True, slots=True)
class Goodbye:
    at: float
    code: int
    retry_ms: int


async def _until_sent_away(socket: ClientConnection) -> Goodbye:
    retry_ms = -1
    try:
        while True:
            said = json.loads(await socket.recv())
            schema_checks.check(said)
            if said["op"] == "bye":
                retry_ms = said["retry_ms"]
    except ConnectionClosed as closed:
        return Goodbye(time.monotonic(), closed.rcvd.code if closed.rcvd else 1006, retry_ms)


async def _connected(own: Own, number: int) -> ClientConnection:
    token = mint(own.settings, sub=f"user-{number}", scope=SUBSCRIBE)
    socket = await connect(
        own.url.replace("http", "ws", 1) + "/v1/ws",
        additional_headers={"Authorization": f"Bearer {token}"},
        compression=None,
        ping_interval=None,
        open_timeout=60,
    )
    await greeted(socket)
    return socket


async def test_a_drain_sends_clients_away_at_a_pace_and_ends_in_time(settings: Settings, tmp_path: Path) -> None:
    stored = database.connect(settings)
    async with gateway(settings, tmp_path, connections_per_ip=0, upgrades_per_s=0, drain_s=DRAIN_S) as own:
        sockets: list[ClientConnection] = []
        for start in range(0, CLIENTS, 50):
            sockets += await asyncio.gather(*(_connected(own, n) for n in range(start, start + 50)))
        assert await sessions.collection(stored).count_documents({}) == CLIENTS
        leaving = [asyncio.create_task(_until_sent_away(socket)) for socket in sockets]
        began = time.monotonic()
        own.process.send_signal(signal.SIGTERM)

        async def not_ready() -> bool:
            return "draining" in await own.unready()

        await until(not_ready, within_s=2)
        with pytest.raises(InvalidStatus) as refused:
            await _connected(own, CLIENTS)
        assert refused.value.response.status_code == 503
        assert int(refused.value.response.headers["Retry-After"]) > 0
        goodbyes = await asyncio.gather(*leaving)

        async def is_gone() -> bool:
            return not own.process.is_running()

        await until(is_gone, within_s=10)
        took = time.monotonic() - began
        assert "the process has stopped" in own.log.read_text()
        assert "a step of the shutdown failed" not in own.log.read_text()
    print(f"{CLIENTS} clients sent away in {max(g.at for g in goodbyes) - began:.1f} s, gone after {took:.1f} s")
    assert took < DRAIN_S + 8
    assert {goodbye.code for goodbye in goodbyes} == {1012}
    hints = [goodbye.retry_ms for goodbye in goodbyes]
    assert all(0 <= hint <= 2_000 for hint in hints)
    assert len(set(hints)) > CLIENTS / 4
    a_second = Counter(int(goodbye.at - began) for goodbye in goodbyes)
    assert len(a_second) >= DRAIN_S - 1
    assert max(a_second.values()) <= 3 * CLIENTS / DRAIN_S
    assert await sessions.collection(stored).count_documents({}) == 0
    held = await mailboxes.find_all(mailboxes.collection(stored))
    assert [lease.owner for lease in held.values()] == [""]
    database.close(stored)


async def test_a_gateway_leaving_while_kafka_is_away_keeps_marks(
    stack: Stack, settings: Settings, tmp_path: Path
) -> None:
    stored = database.connect(settings)
    ids = await store(stored, *(document("ann", n, times.now()) for n in range(2)))
    async with gateway(settings, tmp_path, drain_s=0) as own:
        async with wire(own.url, mint(own.settings, sub="ann", scope=SUBSCRIBE)) as socket:
            await greeted(socket)
            await stack.stop_child("kafka")
            try:
                for id_ in ids:  # the second gathers behind the first, which is on its way
                    await socket.send(json.dumps({"op": "read", "ids": [id_]}))
                    await asyncio.sleep(0.3)
                own.process.send_signal(signal.SIGTERM)

                async def is_gone() -> bool:
                    return not own.process.is_running()

                await until(is_gone, within_s=35)
            finally:
                await stack.start_kafka()
        assert "the process has stopped" in own.log.read_text()
    assert await notifications.unread(notifications.collection(stored), "ann") == 0
    database.close(stored)
