"""Upgrades behind `GuardedHttp`: which may be, and what becomes of those that fail."""

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest

from services.gateway.access.connection_limits import Refusal
from services.gateway.transport.base import TransportContext
from services.gateway.transport.websocket import WebSocketTransport
from tests.conftest import until
from tests.unit.clarion.security.served_app import GET, LARGE, Served, client, is_problem, serving
from tests.unit.gateway.transport import fake_gateway as sockets


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
    context = TransportContext(Broken(), (sockets.ORIGIN,), (), sockets.at_once())
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
async def test_an_upgrade_may_have_any_headers_a_request_may_have(headers: list[str]) -> None:
    gateway = sockets.Gateway()
    context = TransportContext(gateway, (sockets.ORIGIN,), (), sockets.at_once())
    asked = sockets.request("Sec-WebSocket-Protocol: clarion.v1, bearer.abc", *headers)
    async with serving(Served(), partial(WebSocketTransport, context)) as served, client(served) as (reader, writer):
        writer.write(asked)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert gateway.token == "abc"


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked"])
async def test_an_upgrade_with_a_body_is_refused(field: str) -> None:
    context = TransportContext(sockets.Gateway(), (sockets.ORIGIN,), (), sockets.at_once())
    async with serving(Served(), partial(WebSocketTransport, context)) as served, client(served) as (reader, writer):
        writer.write(sockets.request(field) + b"hello")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "body", [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("at", [10, 60, 215, 1_000])
async def test_an_upgrade_to_http_2_is_ignored_and_http_1_goes_on(body: bytes, at: int) -> None:
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


async def test_an_allowed_page_may_read_why_its_upgrade_is_refused() -> None:
    door, mine = sockets.Gateway(), sockets.request(f"Origin: {sockets.ORIGIN}")
    async with serving(
        Served(), partial(WebSocketTransport, TransportContext(door, (sockets.ORIGIN,), (), sockets.at_once()))
    ) as served:
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
