"""uvicorn's HTTP with limits, over real sockets: which requests are answered, and which are refused with a problem."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import pytest

from clarion.security import guarded_http
from services.gateway.transport.base import TransportContext
from services.gateway.transport.websocket import WebSocketTransport
from tests.conftest import until
from tests.unit.clarion.security.served_app import GET, Served, client, is_problem, serving
from tests.unit.gateway.transport import fake_gateway as sockets


async def test_one_request_after_the_other_is_answered_on_one_socket() -> None:
    async with serving(Served()) as served, client(served) as (reader, writer):
        served.gate.set()
        for _ in range(3):
            writer.write(GET)
            answer = await reader.readuntil(b"\r\n\r\nxx")
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" not in answer
        assert served.asked == 3


async def test_pipelined_requests_are_dropped_and_the_answer_closes() -> None:
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


async def test_bytes_of_no_request_do_not_keep_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "HEADERS_WITHIN_S", 0.2)
    async with serving(Served()) as served, client(served) as (reader, writer):
        served.gate.set()
        writer.write(GET)
        await reader.readuntil(b"xx")
        writer.write(b"\r\n")
        async with asyncio.timeout(2):
            assert await reader.read() == b""


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
    context = TransportContext(sockets.Gateway(), (sockets.ORIGIN,), (), sockets.at_once())
    async with serving(Served(), partial(WebSocketTransport, context)) as served, client(served) as (reader, writer):
        writer.write(said)
        await is_problem(await reader.read(), status, type_)


async def test_an_address_with_too_many_sockets_is_told_by_a_problem() -> None:
    async with serving(Served(), most=1) as served, client(served), client(served) as (reader, _):
        headers = await is_problem(await reader.read(), 429, "limit")
    assert headers["access-control-allow-origin"] == "*"
    assert int(headers["retry-after"]) > 0


@pytest.mark.parametrize("most", [1, 2])
async def test_a_client_that_sends_much_first_still_gets_its_answer(most: int) -> None:
    """Too many sockets, or a body where none is read: what is unread when a socket closes would reset it."""
    body = b"x" * 1_000_000
    asked = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    headers = b"X: " + b"x" * 20_000 + b"\r\n\r\n"
    async with serving(Served(), most=most) as served, client(served), client(served) as (reader, writer):
        writer.write(asked + body if most == 1 else GET[:-2] + headers + body)
        await writer.drain()
        await asyncio.sleep(0.1)
        await is_problem(await reader.read(), *((429, "limit") if most == 1 else (431, "headers-too-large")))


async def test_few_refused_sockets_of_an_address_linger() -> None:
    async with serving(Served(), most=2) as served, AsyncExitStack() as clients:
        crowd = [await clients.enter_async_context(client(served)) for _ in range(20)]
        await until(lambda: len(served.state.connections) == 4)
        answers = await asyncio.gather(*(reader.read() for reader, _ in crowd[2:]))
        assert all(answer.startswith(b"HTTP/1.1 429") for answer in answers)
        await until(lambda: len(served.state.connections) == 2)
