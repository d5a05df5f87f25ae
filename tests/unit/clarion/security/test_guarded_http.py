"""uvicorn's HTTP with limits, over real sockets: what a hostile client may ask for and not read."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from clarion.security import guarded_http, unread
from clarion.security.address_counter import AddressCounter
from clarion.security.guarded_http import GuardedHttp
from clarion.security.unread import Readers
from services.gateway.access.connection_limits import Refusal
from services.gateway.transport.base import TransportContext
from services.gateway.transport.websocket import WebSocketTransport
from tests.unit.gateway.transport import test_websocket as sockets

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = 16 * 1024 * 1024  # more than the system holds for a client that reads nothing


@dataclass
class Served:
    """An application behind the protocol; `gate` holds its answers back."""

    size: int = 2
    reads_body: bool = False
    asked: int = 0
    body: bytes = b""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    state: ServerState = field(default_factory=ServerState)
    port: int = 0
    reset: int = 0

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        message = {"more_body": True}
        while self.reads_body and message["more_body"]:
            message = await receive()
            self.body += message["body"]
        await self.gate.wait()
        headers = [(b"content-length", str(self.size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * self.size})

    def count_reset(self) -> None:
        self.reset += 1

    def is_empty(self) -> bool:
        return not self.state.connections and not self.state.tasks


@asynccontextmanager
async def serving(
    served: Served, ws: Callable[..., Any] | None = None, *, most: int = 0, most_unread: int = 0
) -> AsyncGenerator[Served]:
    addresses, readers = AddressCounter(most) if most else None, Readers(most_unread, served.count_reset)
    config = uvicorn.Config(served.app, interface="asgi3", log_config=None, ws=ws or "none")  # pyright: ignore[reportArgumentType]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: GuardedHttp(
            config=config, server_state=served.state, app_state={}, addresses=addresses, unread=readers
        ),
        "127.0.0.1",
        0,
    )
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served


@asynccontextmanager
async def client(served: Served) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", served.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.transport.abort()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_one_request_after_the_other_is_answered_on_one_socket() -> None:
    async with serving(Served()) as served, client(served) as (reader, writer):
        served.gate.set()
        for _ in range(3):
            writer.write(GET)
            answer = await reader.readuntil(b"\r\n\r\nxx")
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" not in answer
        assert served.asked == 3


async def test_requests_in_front_of_an_answer_are_dropped_and_it_is_the_last() -> None:
    async with serving(Served()) as served, client(served) as (reader, writer):
        writer.write(1_000 * GET)
        await until(lambda: served.asked == 1)
        writer.write(1_000 * GET + b"\x00no request at all")
        await asyncio.sleep(0.1)  # what is unread when a socket closes would reset it
        served.gate.set()
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(b"connection: close\r\n\r\nxx")
        assert served.asked == 1
        await until(served.is_empty)


@pytest.mark.parametrize("asked", [GET, GET.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")])
async def test_an_answer_that_nobody_reads_is_let_go(monkeypatch: pytest.MonkeyPatch, asked: bytes) -> None:
    monkeypatch.setattr(unread, "TAKEN_WITHIN_S", 0.2)
    async with serving(Served(size=LARGE)) as served, client(served) as (_, writer):
        served.gate.set()
        writer.write(asked)
        await until(lambda: served.asked == 1)
        await until(served.is_empty)


async def test_the_system_keeps_little_of_an_answer_that_nobody_reads() -> None:
    async with serving(Served(size=LARGE)) as served, client(served) as (_, writer):
        served.gate.set()
        writer.write(GET)
        await until(lambda: served.asked == 1)
        await asyncio.sleep(0.3)
        (connection,) = served.state.connections
        assert isinstance(connection, GuardedHttp)
        assert LARGE - connection.transport.get_write_buffer_size() < 512 * 1024


@pytest.mark.parametrize("asked", [GET, GET.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")])
async def test_of_answers_that_an_address_does_not_read_few_are_kept_and_readers_go_on(asked: bytes) -> None:
    async with serving(Served(size=LARGE), most_unread=3) as served, AsyncExitStack() as clients:
        served.gate.set()
        crowd = [await clients.enter_async_context(client(served)) for _ in range(10)]
        for _, writer in crowd:
            writer.write(asked)
        await until(lambda: served.asked == 10)
        await until(lambda: len(served.state.connections) == 3)
        assert served.reset == 7
        reader, writer = await clients.enter_async_context(client(served))
        writer.write(asked)
        await reader.readuntil(b"\r\n\r\n")
        assert len(await reader.readexactly(LARGE)) == LARGE


async def test_a_slow_reader_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    size = LARGE // 8  # the system keeps 64 KiB of it
    monkeypatch.setattr(unread, "TAKEN_WITHIN_S", 8.0)
    async with serving(Served(size=size)) as served, client(served) as (reader, writer):
        served.gate.set()
        writer.write(GET)
        await asyncio.sleep(0.3)
        assert len(await reader.readuntil(b"\r\n\r\n")) + len(await reader.readexactly(size)) > size
        writer.write(GET)
        await asyncio.sleep(0)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")


async def test_bytes_of_no_request_do_not_keep_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "HEADERS_WITHIN_S", 0.2)
    async with serving(Served()) as served, client(served) as (reader, writer):
        served.gate.set()
        writer.write(GET)
        await reader.readuntil(b"xx")
        writer.write(b"\r\n")
        async with asyncio.timeout(2):
            assert await reader.read() == b""


async def test_no_upgrade_while_an_answer_is_not_read() -> None:
    """The socket would not know that it is paused, and write on without an end."""

    def never(**_: Any) -> Any:
        raise AssertionError("upgraded")

    async with serving(Served(size=LARGE // 8), never) as served, client(served) as (reader, writer):
        served.gate.set()
        writer.write(GET)
        await until(lambda: served.asked == 1)
        await asyncio.sleep(0.1)
        writer.write(sockets.request())
        received = await reader.read()
        assert len(received) > LARGE // 8
        assert b'"detail":"read the answer to the last request before you ask for an upgrade"' in received[-200:]


class Broken(sockets.Gateway):
    def refusal(self, address: str, *, shows_token: bool) -> Refusal | None:
        raise RuntimeError("a fault of ours")


async def test_a_fault_in_an_upgrade_leaves_no_socket_behind() -> None:
    context = TransportContext(Broken(), (sockets.ORIGIN,), ())
    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(str(context["exception"])))
    async with serving(Served(), partial(WebSocketTransport, context)) as served, client(served) as (reader, writer):
        writer.write(sockets.request())
        assert await reader.read() == b"", "cut off"
        await until(served.is_empty)
    assert faults == ["a fault of ours"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(["Cookie: " + "c" * 12_000], id="one of 12 KB"),
        pytest.param([f"X-{n}: {n}" for n in range(500)], id="five hundred"),
        pytest.param(["X-Name: \xc3\xbc\xff"], id="in another encoding"),
    ],
)
async def test_an_upgrade_may_have_the_headers_that_any_request_may_have(headers: list[str]) -> None:
    gateway = sockets.Gateway()
    context = TransportContext(gateway, (sockets.ORIGIN,), ())
    asked = sockets.request("Sec-WebSocket-Protocol: clarion.v1, bearer.abc", *headers)
    async with serving(Served(), partial(WebSocketTransport, context)) as served, client(served) as (reader, writer):
        writer.write(asked)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert gateway.token == "abc"


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
async def test_an_upgrade_with_a_body_is_refused(field: str) -> None:
    context = TransportContext(sockets.Gateway(), (sockets.ORIGIN,), ())
    async with serving(Served(), partial(WebSocketTransport, context)) as served, client(served) as (reader, writer):
        writer.write(sockets.request(field) + b"hello")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "body", [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("at", [10, 60, 215, 1_000])
async def test_an_upgrade_to_http_2_is_ignored_and_the_connection_goes_on(body: bytes, at: int) -> None:
    """As Java's client asks for it with the first request of a connection, in one segment or in two."""
    asked = (
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n" + body
    )
    async with serving(Served(reads_body=True)) as served, client(served) as (reader, writer):
        served.gate.set()
        for request in (asked, GET, asked, asked, GET):
            writer.write(request[:at])
            await asyncio.sleep(0.02)
            writer.write(request[at:])
            answer = await reader.readuntil(b"\r\n\r\nxx")
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" not in answer
        assert (served.asked, served.body) == (5, 3 * b"hello")


@pytest.mark.parametrize(
    ("said", "status", "type_"),
    [
        (b"nonsense\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431, "headers-too-large"),
        (sockets.request().replace(b"Version: 13", b"Version: 12"), 400, "malformed"),
        (sockets.request().replace(b"/v1/ws", b"/v1/no"), 404, "not-found"),
        (sockets.request("Origin: https://evil.example"), 403, "forbidden"),
    ],
)
async def test_what_is_refused_before_the_application_is_a_problem_too(said: bytes, status: int, type_: str) -> None:
    context = TransportContext(sockets.Gateway(), (sockets.ORIGIN,), ())
    async with serving(Served(), partial(WebSocketTransport, context)) as served, client(served) as (reader, writer):
        writer.write(said)
        await is_problem(await reader.read(), status, type_)


async def test_an_address_with_too_many_sockets_is_told_by_a_problem_that_any_page_may_read() -> None:
    async with serving(Served(), most=1) as served, client(served), client(served) as (reader, _):
        headers = await is_problem(await reader.read(), 429, "limit")
    assert headers["access-control-allow-origin"] == "*"
    assert int(headers["retry-after"]) > 0


@pytest.mark.parametrize("most", [1, 2])
async def test_whoever_sends_much_before_it_reads_gets_the_answer_all_the_same(most: int) -> None:
    """Too many sockets, or a body where none is read: what is unread when a socket closes would reset it."""
    body = b"x" * 1_000_000
    asked = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    headers = b"X: " + b"x" * 20_000 + b"\r\n\r\n"
    async with serving(Served(), most=most) as served, client(served), client(served) as (reader, writer):
        writer.write(asked + body if most == 1 else GET[:-2] + headers + body)
        await writer.drain()
        await asyncio.sleep(0.1)
        await is_problem(await reader.read(), *((429, "limit") if most == 1 else (431, "headers-too-large")))


async def test_of_an_address_that_is_refused_only_so_many_sockets_linger() -> None:
    async with serving(Served(), most=2) as served, AsyncExitStack() as clients:
        crowd = [await clients.enter_async_context(client(served)) for _ in range(20)]
        await until(lambda: len(served.state.connections) == 4)
        answers = await asyncio.gather(*(reader.read() for reader, _ in crowd[2:]))
        assert all(answer.startswith(b"HTTP/1.1 429") for answer in answers)
        await until(lambda: len(served.state.connections) == 2)


async def test_a_page_of_an_allowed_origin_may_read_why_its_upgrade_is_refused() -> None:
    door, mine = sockets.Gateway(), sockets.request(f"Origin: {sockets.ORIGIN}")
    async with serving(Served(), partial(WebSocketTransport, TransportContext(door, (sockets.ORIGIN,), ()))) as served:
        for said, status, type_, refused in [
            (mine, 429, "limit", Refusal(HTTPStatus.TOO_MANY_REQUESTS, "later", 3)),
            (mine.replace(b"/v1/ws", b"/v1/no"), 404, "not-found", None),
            (mine.replace(b"Version: 13", b"Version: 12"), 400, "malformed", None),
        ]:
            door.refuses = refused
            async with client(served) as (reader, writer):
                writer.write(said)
                headers = await is_problem(await reader.read(), status, type_)
            assert headers["access-control-allow-origin"] == sockets.ORIGIN
            assert headers["access-control-expose-headers"] == "Retry-After"
            assert headers["vary"] == "Origin"
        async with client(served) as (reader, writer):
            writer.write(sockets.request("Origin: https://evil.example"))
            headers = await is_problem(await reader.read(), 403, "forbidden")
        assert "access-control-allow-origin" not in headers


async def is_problem(answer: bytes, status: int, type_: str) -> dict[str, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    assert line.split(" ")[1] == str(status)
    assert headers["content-type"] == "application/problem+json"
    found = json.loads(body)
    assert (found["status"], found["type"]) == (status, f"urn:clarion:problem:{type_}")
    assert found["title"]
    assert found["detail"]
    assert int(headers["content-length"]) == len(body)
    return headers
