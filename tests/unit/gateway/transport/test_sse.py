"""The event stream's wire, by the bytes that uvicorn's parser and a transport see."""

import gc
import json
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn
from uvicorn.server import ServerState

from clarion.contracts.api import frames
from clarion.security.address_counter import AddressCounter
from services.gateway.access.connection_limits import LATER_S, Refusal
from services.gateway.transport.base import TransportContext
from services.gateway.transport.sse import SseRequest, SseTransport
from services.gateway.transport.sse_http import SseHttp
from tests.unit.gateway.transport import fake_gateway as sockets

ASKED = b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer abc\r\n"


class FakeTransport(sockets.FakeTransport):
    unwritten = 0  # bytes of an earlier answer

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return self.unwritten

    @property
    def said(self) -> bytes:
        return b"".join(self.written)


class Gateway(sockets.Gateway):
    def on_stream_open(self, transport: Any, address: str) -> Any:
        return self.on_open(transport, address)


async def _no_app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the application was asked")


def asking(gateway: Gateway, *parts: bytes) -> tuple[FakeTransport, AddressCounter]:
    context, addresses = TransportContext(gateway, (sockets.ORIGIN,), (), sockets.at_once()), AddressCounter(1)
    config = uvicorn.Config(_no_app, log_config=None)
    http = SseHttp(context=context, addresses=addresses, config=config, server_state=ServerState(), app_state={})
    transport = FakeTransport()
    http.connection_made(transport)  # pyright: ignore[reportArgumentType]
    for part in parts:
        http.data_received(part)
    return transport, addresses


async def test_the_socket_is_handed_over_with_token_and_resume() -> None:
    gateway = Gateway()
    resume = quote('{"op":"resume","cursors":{"low":[0,7]}}')
    asked = ASKED.replace(b"/stream", b"/stream?resume=" + resume.encode()) + b"X-Forwarded-For: 9.9.9.9\r\n\r\n"
    transport, addresses = asking(gateway, asked[:40], asked[40:])
    assert isinstance(transport.protocol, SseTransport)
    assert (gateway.token, gateway.address) == ("abc", "10.0.0.1")
    assert [frames.decode_client(text) for text in gateway.texts] == [frames.Resume({frames.Lane.LOW: (0, 7)})]
    assert transport.said.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n")
    assert len(addresses) == 0


async def test_whoever_sends_no_resume_is_fresh_at_once() -> None:
    gateway = Gateway()
    asking(gateway, ASKED + b"\r\n")
    assert [frames.decode_client(text) for text in gateway.texts] == [frames.Resume()]


async def test_nothing_of_the_request_is_left_for_garbage_collection() -> None:
    gc.collect()
    before = sockets.objects_of(SseHttp)  # of other tests
    gc.disable()
    try:
        transport, _ = asking(Gateway(), ASKED + b"\r\n")
        left = sockets.objects_of(SseHttp)
    finally:
        gc.enable()
    assert len(left) == len(before)
    assert transport.protocol is not None


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(b"Content-Length: 4\r\n\r\nbody", id="a body"),
        pytest.param(b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", id="another request"),
    ],
)
async def test_nothing_may_follow_in_one_breath(more: bytes) -> None:
    gateway = Gateway()
    transport, _ = asking(gateway, ASKED + more)
    assert transport.is_half_closed  # it is told, and what it sends now is dropped
    assert len(transport.written) == 1
    assert transport.protocol is None
    assert gateway.texts == []


def begun(gateway: Gateway, **headers: str) -> tuple[SseTransport, FakeTransport]:
    state: Any = SimpleNamespace(connections=set())
    transport, stream = (
        FakeTransport(),
        SseTransport(TransportContext(gateway, (sockets.ORIGIN,), (), sockets.at_once()), state),
    )
    stream.connection_made(transport)  # pyright: ignore[reportArgumentType]
    shown = {"authorization": "Bearer abc"} | headers
    stream.answer(SseRequest(b"", [(name.encode(), value.encode()) for name, value in shown.items()]))
    return stream, transport


def test_a_close_is_the_last_event_and_said_once() -> None:
    gateway = Gateway()
    stream, transport = begun(gateway)
    transport.written.clear()
    stream.write(b'{"op":"ping"}')
    stream.shut(4408, "no answer")
    stream.shut(4408, "again")
    stream.write(b"{}")
    assert transport.said == b'data: {"op":"ping"}\n\nevent: close\ndata: {"code":4408,"reason":"no answer"}\n\n'
    assert transport.is_closed
    assert gateway.closing_with == [4408]
    stream.connection_lost(None)
    assert gateway.closed_times == 1


def test_a_client_that_goes_on_talking_is_cut_off() -> None:
    stream, transport = begun(Gateway())
    stream.data_received(b"x")
    assert transport.is_closed


def test_a_reader_that_stalls_is_told_to_the_gateway() -> None:
    gateway = Gateway()
    stream, _ = begun(gateway)
    stream.pause_writing()
    stream.resume_writing()
    assert gateway.writable_told == [False, True]


def test_a_refusal_is_a_problem_that_no_foreign_page_may_read() -> None:
    busy = Gateway(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "full", LATER_S))
    _, transport = begun(busy, origin=sockets.ORIGIN)
    head, _, body = transport.said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 10" in head
    assert b"access-control-allow-origin: " + sockets.ORIGIN.encode() in head
    assert json.loads(body) == {
        "title": "Service Unavailable",
        "status": 503,
        "detail": "full",
        "type": "urn:clarion:problem:unavailable",
    }
    assert transport.is_closed
    _, transport = begun(Gateway(), origin="https://evil.example")
    assert transport.said.startswith(b"HTTP/1.1 403 ")
    assert b"access-control-allow-origin" not in transport.said


async def test_a_client_without_a_token_is_told_and_is_no_connection() -> None:
    gateway = Gateway()
    _, transport = begun(gateway, authorization="", origin=sockets.ORIGIN)
    head, _, events = transport.said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert events.startswith(b'data: {"op":"error","code":"token","detail":"the token is missing')
    assert b'event: close\ndata: {"code":4401,' in events
    assert transport.is_half_closed
    assert (gateway.token, gateway.shown) == (None, [False])


@pytest.mark.parametrize("to", ["h2c", "websockets", "TLS/1.0", "foo, h2c"])
async def test_an_upgrade_to_what_nobody_speaks_here_is_ignored(to: str) -> None:
    gateway = Gateway()
    asking(
        gateway, ASKED + f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {to}\r\nHTTP2-Settings: AA\r\n\r\n".encode()
    )
    assert gateway.token == "abc"
    assert [frames.decode_client(text) for text in gateway.texts] == [frames.Resume()]


async def test_a_socket_with_an_unwritten_answer_is_not_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeTransport, "unwritten", 1)
    transport, _ = asking(Gateway(), ASKED + b"\r\n")
    assert transport.protocol is None
