"""The wire: a uvicorn WebSocket protocol class (RFC 6455). No task, queue or timer per connection.

uvicorn hands over the upgrade request already read. What a connection keeps is small: bytes of a frame that is not all
there, and a message in fragments, only while there are any.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final, cast
from typing import Protocol as Interface
from urllib.parse import urlsplit

from websockets.http11 import Request

from clarion.contracts.close_codes import Close
from clarion.contracts.limits import FRAME_BYTES
from clarion.security.addresses import Networks, client_address
from clarion.security.origins import is_allowed
from clarion.security.tokens import TokenError
from services.gateway import framing, handshake
from services.gateway.connection import Connection, Wire
from services.gateway.door import Refusal
from services.gateway.framing import Fragments, Violation

PATH: Final = "/v1/ws"
HIGH_WATER_BYTES: Final = 64 * 1024
_REASON_CHARS: Final = 120


class Client(Interface):
    """What a socket needs of the gateway. Nothing here may block."""

    def refusal(self, address: str) -> Refusal | None: ...
    def opened(self, wire: Wire, address: str) -> Connection: ...
    def presented(self, connection: Connection, token: str | TokenError) -> None: ...
    def received(self, connection: Connection, text: bytes) -> None: ...
    def writable(self, connection: Connection, is_writable: bool) -> None: ...
    def closing(self, connection: Connection, code: int) -> None: ...
    def closed(self, connection: Connection) -> None: ...


@dataclass(frozen=True, slots=True)
class Site:
    """What all sockets share. Behind `trusted` proxies a client's address is not the peer's."""

    gateway: Client
    origins: tuple[str, ...]
    trusted: Networks


class State(Enum):
    CONNECTING = auto()
    OPEN = auto()
    CLOSING = auto()  # our close frame is out, theirs is to come
    ENDED = auto()  # nothing that comes now is looked at


class Socket(asyncio.Protocol):
    __slots__ = (
        "_buffer",
        "_connection",
        "_fragments",
        "_is_paused",
        "_pong_owed",
        "_site",
        "_sockets",
        "_state",
        "_transport",
    )

    def __init__(self, site: Site, config: Any, server_state: Any, app_state: Any) -> None:
        self._site = site
        self._sockets: set[Any] = server_state.connections
        self._state = State.CONNECTING
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._buffer: bytearray | None = None
        self._fragments: Fragments | None = None
        self._is_paused = False
        self._pong_owed: bytes | None = None

    # ---- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._sockets.add(self)

    def data_received(self, data: bytes) -> None:
        if self._state is State.CONNECTING:
            self._answer(data)
        elif self._state is not State.ENDED:
            try:
                self._read(data)
            except Violation as violation:
                self._fail(violation)

    def eof_received(self) -> None:
        """Asyncio closes the transport then: whoever has nothing more to say gets nothing more."""
        self._state = State.ENDED

    def connection_lost(self, exc: Exception | None) -> None:
        self._sockets.discard(self)
        self._state = State.ENDED
        self._transport = None
        connection, self._connection = self._connection, None
        if connection is not None:
            self._site.gateway.closed(connection)

    def pause_writing(self) -> None:
        self._is_paused = True
        if self._connection is not None:
            self._site.gateway.writable(self._connection, False)

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._pong_owed is not None:
            self._pong(self._pong_owed)
            self._pong_owed = None
        if self._connection is not None:
            self._site.gateway.writable(self._connection, True)

    def shutdown(self) -> None:
        """Uvicorn's last word; the gateway's own drain has said good-bye before."""
        self.shut(Close.RESTART, "restart")

    # ---- what the gateway calls

    def write(self, text: bytes) -> None:
        """Send a text frame. Nothing happens on a socket that is closing: its close frame was the last."""
        if self._state is State.OPEN and self._transport is not None:
            self._transport.write(framing.make(framing.TEXT, text))

    def shut(self, code: int, reason: str) -> None:
        if self._state is State.OPEN and self._transport is not None:
            self._transport.write(framing.make_close(code, reason[:_REASON_CHARS]))
            self._state = State.CLOSING
            self._tell_closing(code)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # ---- the upgrade

    def _answer(self, request: bytes) -> None:
        transport = self._transport
        assert transport is not None
        address = ""

        def refusal(request: Request) -> Refusal | None:
            nonlocal address
            address = self._address(request)
            return self._refusal(request, address)

        answer = handshake.answer(request, refusal)
        transport.write(answer.response)
        if answer.token is None:
            self._state = State.ENDED
            transport.close()
        else:
            self._state = State.OPEN
            self._connection = self._site.gateway.opened(self, address)
            self._site.gateway.presented(self._connection, answer.token)

    def _refusal(self, request: Request, address: str) -> Refusal | None:
        if urlsplit(request.path).path != PATH:
            return Refusal(HTTPStatus.NOT_FOUND, f"the WebSocket is at {PATH}")
        if not is_allowed(request.headers.get("Origin"), self._site.origins):
            return Refusal(HTTPStatus.FORBIDDEN, "this origin is not in CLARION_ORIGINS")
        return self._site.gateway.refusal(address)

    def _address(self, request: Request) -> str:
        assert self._transport is not None
        peername: Any = self._transport.get_extra_info("peername")
        headers = request.headers
        return client_address(
            str(peername[0]) if peername else "",
            headers.get_all("Forwarded"),
            headers.get_all("X-Forwarded-For"),
            self._site.trusted,
        )

    # ---- frames

    def _read(self, data: bytes | bytearray) -> None:
        """Handle every frame that is all there; keep what is left."""
        if self._buffer is not None:
            self._buffer += data
            data, self._buffer = self._buffer, None
        at, end = 0, len(data)
        while at < end and self._state is not State.ENDED:
            room = FRAME_BYTES - len(self._fragments) if self._fragments is not None else FRAME_BYTES
            frame = framing.read(data, at, room)
            if frame is None:
                self._buffer = bytearray(data[at:]) if at or isinstance(data, bytes) else data
                return
            opcode, is_final, payload, at = frame
            if opcode == framing.TEXT and is_final and self._fragments is None:
                # not only while open: an acknowledgement and the client's close may come in one segment
                if self._state is State.OPEN and self._connection is not None:
                    if not payload.isascii():
                        framing.check_utf8(payload)
                    self._site.gateway.received(self._connection, payload)
            else:
                self._handle(opcode, payload, is_final=is_final)

    def _handle(self, opcode: int, payload: bytes, *, is_final: bool) -> None:
        """What is rarer than a message in one frame."""
        if opcode <= framing.BINARY:
            self._gather(opcode, payload, is_final=is_final)
        elif opcode == framing.PING:
            self._pong(payload)
        elif opcode == framing.CLOSE:
            self._close(payload)

    def _gather(self, opcode: int, payload: bytes, *, is_final: bool) -> None:
        """A message in fragments."""
        if self._state is not State.OPEN:
            return
        if (opcode == framing.CONTINUATION) == (self._fragments is None):
            raise Violation(Close.NOT_RFC_6455, "fragments out of order")
        if opcode == framing.BINARY:
            self.shut(Close.BINARY, "text frames only")
            return
        if self._fragments is None:
            self._fragments = Fragments()
        text = self._fragments.add(payload, is_final=is_final)
        if is_final:
            self._fragments = None
            if self._connection is not None:
                self._site.gateway.received(self._connection, text)

    def _pong(self, payload: bytes) -> None:
        """To whoever reads nothing the latest is owed, and no more than that (RFC 6455, 5.5.3)."""
        if self._is_paused:
            self._pong_owed = payload
        elif self._state is State.OPEN and self._transport is not None:
            self._transport.write(framing.make(framing.PONG, payload))

    def _close(self, payload: bytes) -> None:
        """Theirs: echoed unless it is the answer to ours; then it is the server that closes (RFC 6455, 7.1.1)."""
        framing.check_close(payload)
        if self._fragments is not None:
            raise Violation(Close.NOT_RFC_6455, "an incomplete message")
        if self._transport is not None:
            if self._state is State.OPEN:
                self._transport.write(framing.make(framing.CLOSE, payload))
            self._transport.close()
        self._state = State.ENDED

    def _fail(self, violation: Violation) -> None:
        """Say why, and no more: the other side closes, or is cut off when its time is over."""
        self.shut(violation.code, str(violation))
        self._state = State.ENDED
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()

    def _tell_closing(self, code: int) -> None:
        if self._connection is not None:
            self._site.gateway.closing(self._connection, code)
