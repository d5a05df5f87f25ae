"""Sockets that ask for much and read nothing: what they leave in the system is bounded, and it ends."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import pytest

from clarion.contracts import limits, times
from clarion.contracts.ids import new_id
from clarion.security import unread
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from services.gateway.http.inbox_limits import PAGES_OF_ADDRESS, PAGES_OF_USER
from tests.conftest import until
from tests.gateways import gateway
from tests.subprocesses import child, env_of, free_port

pytestmark = pytest.mark.slow

MIB: Final = 1024 * 1024
SOCKETS: Final = 98  # of an address, which may have 100
ROUNDS: Final = 4
KEPT: Final = 256 * 1024  # of an answer, by the system: twice what is asked for, and what is under way
SMALL: Final = 16 * 1024  # a refusal, and what a client's own system takes unasked
LARGE: Final = 30_000  # an item of the inbox
SENDERS: Final = 60
_LISTENS: Final = "0A"
_ESTABLISHED: Final = "01"


def queued(port: int) -> int:
    """Bytes that the system holds for clients of a port of this machine, also of sockets that no process has open."""
    return sum(int(row[4].split(":")[0], 16) for row in _connections(port))


def established(port: int) -> int:
    return sum(row[3] == _ESTABLISHED for row in _connections(port))


def _connections(port: int) -> list[list[str]]:
    """At this end: columns as in proc(5)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row for row in rows if int(row[1].rpartition(":")[2], 16) == port and row[3] != _LISTENS]


async def ask(port: int, request: bytes) -> socket.socket:
    """A client that takes as little as it can, and reads none of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, request)
    except BaseException:
        client.close()
        raise
    return client


@asynccontextmanager
async def crowd(port: int, requests: Sequence[bytes]) -> AsyncGenerator[list[socket.socket]]:
    clients = [await ask(port, request) for request in requests]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


@pytest.mark.timeout(300)
async def test_pages_that_an_address_does_not_read_are_few_and_go(settings: Settings, tmp_path: Path) -> None:
    """392 MiB lay in the system after four rounds, for minutes, when each kept its page."""
    connection = database.connect(settings)
    users = [f"user-{n}" for n in range(SOCKETS // PAGES_OF_USER)]
    async with gateway(settings, tmp_path) as own:
        await notifications.collection(connection).insert_many(
            _stored(user, n) for user in users for n in range(MIB // LARGE)
        )
        port, requests = own.settings.port, [_page_of(settings, users[n % len(users)]) for n in range(SOCKETS)]
        before = own.process.memory_info().rss
        most = 0
        for _ in range(ROUNDS):
            async with crowd(port, requests):
                for _ in range(20):
                    await asyncio.sleep(0.1)
                    most = max(most, queued(port))
        grown = own.process.memory_info().rss - before
        print(f"{most / MIB:.1f} MiB queued, {grown / MIB:.0f} MiB more in the process")
        assert MIB < most < PAGES_OF_ADDRESS * KEPT + SOCKETS * SMALL

        async def nothing_is_left() -> bool:
            return queued(port) == 0

        async def much_is_kept() -> bool:
            return queued(port) > MIB

        await until(nothing_is_left, within_s=10)  # of those who went
        async with crowd(port, requests):
            await until(much_is_kept)
            await until(nothing_is_left, within_s=unread.TAKEN_WITHIN_S + 30)  # and of those who stay
            await _page_is_read(own.url, settings, users[0])
    database.close(connection)


async def _page_is_read(url: str, settings: Settings, user: str) -> None:
    token = {"Authorization": f"Bearer {mint(settings, sub=user, scope=SUBSCRIBE)}"}
    async with httpx2.AsyncClient(base_url=url, trust_env=False, headers=token) as http:
        assert len((await http.get("/v1/inbox", params={"limit": 200})).json()["items"]) > 1


def _stored(user: str, n: int) -> dict[str, Any]:
    now = times.now()
    body = b'{"data":"%b"}' % (b"x" * LARGE)
    place: dict[str, Any] = {
        "_id": new_id(),
        "recipient": user,
        "lane": "low",
        "ord": n,
        "type": "t",
        "sender": "s",
        "body": body,
    }
    moments = {"created_at": now, "available_at": now, "stored_at": now, "purge_at": now + timedelta(days=1)}
    return place | moments | {"state": "pending", "unread": True}


def _page_of(settings: Settings, user: str) -> bytes:
    token = mint(settings, sub=user, scope=SUBSCRIBE)
    return f"GET /v1/inbox?limit=200 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


@pytest.mark.timeout(180)
async def test_answers_of_ingest_that_an_address_does_not_read_are_few(settings: Settings, tmp_path: Path) -> None:
    """Each line of a batch that is refused is named with its field: such an answer has a quarter of a MiB and more."""
    own = msgspec.structs.replace(settings, port=free_port(), admin_port=free_port())
    lines = b"\n".join(b'{"%b":%d}' % (b"x" * 200, n) for n in range(limits.BATCH_LINES))
    head = "POST /v1/notifications/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    token = mint(settings, sub="tests", scope=PUBLISH)
    request = f"{head}Authorization: Bearer {token}\r\nContent-Length: {len(lines)}\r\n\r\n".encode() + lines
    async with child(("-m", "clarion.cli", "ingest"), env_of(own), tmp_path / "ingest.log"):

        async def answers() -> bool:
            try:
                (await ask(own.port, b"")).close()
            except OSError:
                return False
            return True

        await until(answers)
        async with crowd(own.port, [request] * SENDERS):
            most = 0

            async def most_are_reset() -> bool:
                nonlocal most
                most = max(most, queued(own.port))
                return established(own.port) == unread.OF_ADDRESS

            await until(most_are_reset, within_s=60)
            print(f"{most / MIB:.1f} MiB queued")
            assert queued(own.port) < unread.OF_ADDRESS * KEPT
            url = f"http://127.0.0.1:{own.port}"
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
            async with httpx2.AsyncClient(base_url=url, trust_env=False, headers=headers, timeout=30) as http:
                answer = await http.post("/v1/notifications/batch", content=lines)
            assert len(answer.text.splitlines()) == limits.BATCH_LINES  # whoever reads has it
