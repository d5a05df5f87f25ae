"""The wire: a uvicorn WebSocket protocol class over websockets' sans-IO layer. No task, queue or timer per connection.

uvicorn hands over the upgrade request already read; after the 101 the handshake's object is dropped for a fresh
`Protocol`, which does not pin the request.
"""

import asyncio
import codecs
from http import HTTPStatus
from typing import Any, Final, cast
from typing import Protocol as Interface
from urllib.parse import urlsplit

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SERVER, Protocol, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from clarion.contracts.close_codes import Close
from clarion.contracts.frames import SUBPROTOCOL
from clarion.contracts.limits import FRAME_BYTES
from clarion.security.addresses import Networks, client_address
from clarion.security.bearer import presented
from clarion.security.origins import is_allowed
from clarion.security.tokens import TokenError
from services.gateway.door import Refusal

PATH: Final = "/v1/ws"
HIGH_WATER_BYTES: Final = 64 * 1024


class Client(Interface):
    """What a socket needs of the gateway. Nothing here may block."""

    def refusal(self, address: str) -> Refusal | None: ...
    def opened(self, socket: "Socket", token: str | TokenError) -> None: ...
    def received(self, socket: "Socket", text: bytes) -> None: ...
    def writable(self, socket: "Socket", is_writable: bool) -> None: ...
    def closing(self, socket: "Socket", code: int) -> None: ...
    def closed(self, socket: "Socket") -> None: ...


class Socket(asyncio.Protocol):
    """`address` is whom the client is counted for; behind `trusted` proxies it is not the peer's."""

    def __init__(
        self,
        gateway: Client,
        origins: tuple[str, ...],
        trusted: Networks,
        config: Any,
        server_state: Any,
        app_state: Any,
    ) -> None:
        self._gateway = gateway
        self._origins = origins
        self._trusted = trusted
        self.address = ""
        self._connections: set[Any] = server_state.connections
        self._handshake: ServerProtocol | None = ServerProtocol(select_subprotocol=_select, max_size=FRAME_BYTES)
        self._protocol: Protocol = self._handshake
        self._transport: asyncio.Transport | None = None
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._parts: list[bytes] = []
        self._told_closing = False
        self.is_open = False

    # ---- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._handle_events()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._handle_events()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self.is_open:
            self.is_open = False
            self._gateway.closed(self)
        self._transport = None

    def pause_writing(self) -> None:
        if self.is_open:
            self._gateway.writable(self, False)

    def resume_writing(self) -> None:
        if self.is_open:
            self._gateway.writable(self, True)

    def shutdown(self) -> None:
        """Uvicorn's last word; the gateway's own drain has said good-bye before."""
        self.shut(Close.RESTART, "restart")

    # ---- what the gateway calls

    def write(self, text: bytes) -> None:
        """Send a text frame. Nothing happens on a socket that is closing: its close frame was the last."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(text)
            self._flush()

    def shut(self, code: int, reason: str) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason[:120])
            self._tell_closing(code)
            self._flush()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # ---- wire

    def _handle_events(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Frame):
                self._handle_frame(event)
        if self._protocol.parser_exc is not None and self._protocol.close_sent is not None:
            self._tell_closing(self._protocol.close_sent.code)  # the parser has closed: too large, or not RFC 6455
        self._flush()

    def _answer(self, request: Request) -> None:
        handshake = self._handshake
        assert handshake is not None
        self.address = self._address(request)
        refusal = self._refusal(request)
        response = handshake.reject(refusal.status, f"{refusal.detail}\n") if refusal else handshake.accept(request)
        if refusal and refusal.retry_after_s is not None:
            response.headers["Retry-After"] = str(refusal.retry_after_s)
        handshake.send_response(response)
        self._flush()
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._close_transport()
            return
        self._handshake = None
        self._protocol = Protocol(SERVER, state=State.OPEN, max_size=FRAME_BYTES)
        self.is_open = True
        self._gateway.opened(self, _token(request))

    def _refusal(self, request: Request) -> Refusal | None:
        if urlsplit(request.path).path != PATH:
            return Refusal(HTTPStatus.NOT_FOUND, f"the WebSocket is at {PATH}")
        if not is_allowed(request.headers.get("Origin"), self._origins):
            return Refusal(HTTPStatus.FORBIDDEN, "this origin is not in CLARION_ORIGINS")
        return self._gateway.refusal(self.address)

    def _address(self, request: Request) -> str:
        assert self._transport is not None
        peername: Any = self._transport.get_extra_info("peername")
        headers = request.headers
        return client_address(
            str(peername[0]) if peername else "",
            headers.get_all("Forwarded"),
            headers.get_all("X-Forwarded-For"),
            self._trusted,
        )

    def _handle_frame(self, frame: Frame) -> None:
        # not the protocol's state: an acknowledgement and the client's close may come in one segment
        if self._told_closing:
            return
        if frame.opcode is Opcode.BINARY:
            self.shut(Close.BINARY, "text frames only")
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self._handle_text(frame)

    def _handle_text(self, frame: Frame) -> None:
        """Gather fragments. The sans-IO layer bounds a message's size but does not check its UTF-8."""
        data = bytes(frame.data)
        try:
            self._utf8.decode(data, final=frame.fin)
        except UnicodeDecodeError:
            self._utf8.reset()
            self.shut(Close.NOT_UTF8, "not UTF-8")
            return
        self._parts.append(data)
        if frame.fin:
            text = b"".join(self._parts)
            self._parts.clear()
            self._gateway.received(self, text)

    def _tell_closing(self, code: int) -> None:
        if self.is_open and not self._told_closing:
            self._told_closing = True
            self._gateway.closing(self, code)

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()
        if self._protocol.state is State.CLOSED or (self._protocol.close_rcvd is not None):
            self._close_transport()

    def _close_transport(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _select(_: ServerProtocol, offered: Any) -> Subprotocol | None:
    """Header-only clients may offer none; then none is selected."""
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None


def _token(request: Request) -> str | TokenError:
    headers = request.headers
    query = urlsplit(request.path).query
    try:
        return presented(headers.get("Authorization", ""), headers.get_all("Sec-WebSocket-Protocol"), query)
    except TokenError as error:
        return error
