"""The upgrade to a WebSocket: its answer, what is refused, and what nothing is left of."""

import gc
import struct

import pytest
from websockets.client import ClientProtocol
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from services.gateway.access.connection_limits import Refusal
from tests.unit.gateway.transport.client_frames import sent, text
from tests.unit.gateway.transport.fake_gateway import ORIGIN, Gateway, connecting, objects_of, opened, request


def test_the_answer_to_an_upgrade_is_one_that_websockets_takes() -> None:
    client = ClientProtocol(parse_uri("ws://gateway/v1/ws"), subprotocols=["clarion.v1", "bearer.abc"])  # pyright: ignore[reportArgumentType]
    client.send_request(client.connect())
    gateway = Gateway()
    socket, transport = connecting(gateway)
    socket.data_received(b"".join(client.data_to_send()))
    client.receive_data(b"".join(transport.written))
    assert client.handshake_exc is None
    assert client.state is State.OPEN
    assert client.subprotocol == "clarion.v1"
    assert not client.extensions, "no compression: what is compressed cannot be shared, and its window costs memory"


def test_nothing_of_the_upgrade_is_left_for_garbage_collection() -> None:
    gc.collect()
    before = objects_of(ServerProtocol, Request)  # of other tests
    gc.disable()
    try:
        socket, _, _ = opened()
        left = objects_of(ServerProtocol, Request)
    finally:
        gc.enable()
    assert len(left) == len(before)
    socket.connection_lost(None)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        pytest.param(request(path="/elsewhere"), b"404", id="another path"),
        pytest.param(request("Origin: https://evil.example"), b"403", id="a foreign origin"),
        pytest.param(request(*2 * [f"Origin: {ORIGIN}"]), b"400", id="two origins"),
        pytest.param(request(*2 * ["Authorization: Bearer abc"]), b"400", id="two tokens"),
        pytest.param(request(path="//["), b"404", id="a path that is no URL"),
        pytest.param(request().replace(b"Version: 13", b"Version: 12"), b"400", id="another version"),
        pytest.param(request().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"), b"400", id="a bad key"),
    ],
)
def test_an_upgrade_that_cannot_be_is_answered_and_closed(asked: bytes, status: bytes) -> None:
    gateway = Gateway()
    socket, transport = connecting(gateway)
    socket.data_received(asked)
    assert transport.written[0].startswith(b"HTTP/1.1 " + status)
    assert transport.is_closed
    assert transport.protocol is socket, "who hears that it is lost, whatever happens in the answer"
    socket.data_received(sent(text(b"{}")))
    socket.connection_lost(None)
    assert gateway.texts == []
    assert gateway.closed_times == 0


@pytest.mark.parametrize(
    "asked",
    [
        request("Sec-WebSocket-Protocol: clarion.v1"),
        request("Sec-WebSocket-Protocol: clarion.v1, bearer."),
        request("Authorization: Basic YTpi"),
        request("Authorization: Bearer abc", path="/v1/ws?access_token=abc"),
    ],
)
async def test_a_client_without_a_token_is_told_and_is_no_connection(asked: bytes) -> None:
    gateway = Gateway()
    socket, transport = connecting(gateway)
    socket.data_received(asked)
    head, _, said = b"".join(transport.written).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b'{"op":"error","code":"token",' in said
    assert struct.pack("!H", 4401) in said
    assert transport.is_half_closed
    socket.data_received(sent(text(b"{}")))
    socket.connection_lost(None)
    assert (gateway.shown, gateway.token, gateway.texts, gateway.closed_times) == ([False], None, [], 0)


def test_a_refusal_says_when_to_come_back() -> None:
    socket, transport = connecting(Gateway(Refusal(503, "not ready", 2)))  # pyright: ignore[reportArgumentType]
    socket.data_received(request())
    assert transport.written[0].startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 2\r\n" in transport.written[0]
    assert transport.is_closed
