"""A gateway that keeps what its transports tell it, and the transport that asyncio would give a protocol."""

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

from clarion.contracts import times
from services.gateway.access.connection_limits import Refusal
from services.gateway.client.connection import Connection, Transport
from services.gateway.client.feed import Feed
from services.gateway.client.inbound import Inbound
from services.gateway.transport.base import TransportContext
from services.gateway.transport.websocket import WebSocketTransport

ORIGIN = "https://app.example"


class FakeTransport:
    """What asyncio gives a protocol, as far as it is used."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_half_closed = False
        self.is_closed = False
        self.protocol: asyncio.Protocol | None = None

    def write(self, data: bytes) -> None:
        assert not self.is_half_closed
        self.written.append(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_half_closed = True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def set_write_buffer_limits(self, high: int) -> None: ...

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str) -> Any:
        return ("10.0.0.1", 4711) if name == "peername" else None


class Gateway:
    """Keeps what the socket tells."""

    def __init__(self, refuses: Refusal | None = None) -> None:
        self.refuses = refuses
        self.token: str | None = None
        self.shown: list[bool] = []
        self.address = ""
        self.texts: list[bytes] = []
        self.writable_told: list[bool] = []
        self.closing_with: list[int | None] = []
        self.closed_times = 0
        self.spoke_times = 0

    def refusal(self, address: str, *, shows_token: bool) -> Refusal | None:
        self.shown.append(shows_token)
        return self.refuses

    def on_open(self, transport: Transport, address: str) -> Connection:
        self.address = address
        now = times.now()
        return Connection(transport, Feed(opened=now, since=now), address)

    def on_stream_open(self, transport: Transport, address: str) -> Connection:
        raise AssertionError("a socket speaks")

    def on_token(self, connection: Connection, token: str) -> None:
        self.token = token

    def on_message(self, connection: Connection, text: bytes) -> None:
        self.texts.append(text)

    def on_writable(self, connection: Connection, is_writable: bool) -> None:
        self.writable_told.append(is_writable)

    def on_control_frame(self, connection: Connection) -> None:
        self.spoke_times += 1

    def on_closing(self, connection: Connection, code: int | None) -> None:
        self.closing_with.append(code)

    def on_closed(self, connection: Connection) -> None:
        self.closed_times += 1


def at_once() -> Inbound:
    """Handles what comes while it comes."""
    return Inbound(most_bytes=-1)


def connecting(gateway: Gateway) -> tuple[WebSocketTransport, FakeTransport]:
    socket, transport = (
        WebSocketTransport(
            TransportContext(gateway, (ORIGIN,), (), at_once()), None, SimpleNamespace(connections=set()), None
        ),
        FakeTransport(),
    )
    socket.connection_made(transport)  # pyright: ignore[reportArgumentType]
    return socket, transport


def request(*headers: str, path: str = "/v1/ws") -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: gateway",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def opened() -> tuple[WebSocketTransport, FakeTransport, Gateway]:
    gateway = Gateway()
    socket, transport = connecting(gateway)
    socket.data_received(request("Sec-WebSocket-Protocol: clarion.v1, bearer.abc"))
    assert transport.written.pop().startswith(b"HTTP/1.1 101 ")
    assert gateway.token == "abc"
    assert gateway.address == "10.0.0.1"
    return socket, transport, gateway


def objects_of(*kinds: type) -> list[object]:
    """By `type`: what a weak proxy stands for may be gone."""
    return [one for one in gc.get_objects() if issubclass(type(one), kinds)]
