"""What a socket and an event stream have in common: one client over one TCP connection, and what it reports to.

No task, queue or timer per connection.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final, cast
from typing import Protocol as Interface

from clarion.contracts.api.close_codes import Close
from clarion.security.addresses import Networks, client_address
from clarion.security.origins import is_allowed
from clarion.security.tokens import TokenError
from clarion.telemetry import metrics
from services.gateway.access.connection_limits import Refusal
from services.gateway.client.connection import Connection, Transport

HIGH_WATER_BYTES: Final = 64 * 1024
SENT_AWAY_WITHIN_S: Final = 1.0  # for the close of a client that showed no token, and of which nothing is kept


class ConnectionHandler(Interface):
    """What a transport tells of its client, and asks. Nothing here may block."""

    def refusal(self, address: str, *, shows_token: bool) -> Refusal | None: ...
    def on_open(self, transport: Transport, address: str) -> Connection: ...
    def on_stream_open(self, transport: Transport, address: str) -> Connection: ...
    def on_token(self, connection: Connection, token: str) -> None: ...
    def on_message(self, connection: Connection, text: bytes) -> None: ...
    def on_writable(self, connection: Connection, is_writable: bool) -> None: ...
    def on_control_frame(self, connection: Connection) -> None: ...
    def on_closing(self, connection: Connection, code: int | None) -> None: ...
    def on_closed(self, connection: Connection) -> None: ...


@dataclass(frozen=True, slots=True)
class TransportContext:
    """What all transports share. Behind `trusted` proxies a client's address is not the peer's."""

    handler: ConnectionHandler
    origins: tuple[str, ...]
    trusted: Networks

    def refusal(self, origin: str | None, address: str, token: str | TokenError) -> Refusal | None:
        """Why a page of `origin` (None: no page) may not come in from `address`."""
        if not is_allowed(origin, self.origins):
            return Refusal(HTTPStatus.FORBIDDEN, "this origin is not in CLARION_ORIGINS")
        return self.handler.refusal(address, shows_token=isinstance(token, str))

    def address(
        self, transport: asyncio.BaseTransport, forwarded: Sequence[str], x_forwarded_for: Sequence[str]
    ) -> str:
        peername: Any = transport.get_extra_info("peername")
        return client_address(str(peername[0]) if peername else "", forwarded, x_forwarded_for, self.trusted)


class TransportState(Enum):
    CONNECTING = auto()
    OPEN = auto()
    CLOSING = auto()  # our last word is out, the other side is to end it
    ENDED = auto()  # nothing that comes now is looked at


class ClientTransport(asyncio.Protocol):
    __slots__ = ("_connection", "_context", "_is_paused", "_sockets", "_state", "_transport")

    def __init__(self, context: TransportContext, server_state: Any) -> None:
        self._context = context
        self._sockets: set[Any] = server_state.connections
        self._state = TransportState.CONNECTING
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        # uvicorn does so when a socket's request is answered: if that raised, nobody would hear that the socket is gone
        self._transport.set_protocol(self)
        self._sockets.add(self)

    def eof_received(self) -> None:
        """Asyncio closes the transport then: whoever has nothing more to say gets nothing more."""
        self._left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._sockets.discard(self)
        self._state = TransportState.ENDED
        self._transport = None
        connection, self._connection = self._connection, None
        if connection is not None:
            self._context.handler.on_closed(connection)

    def pause_writing(self) -> None:
        self._is_paused = True
        if self._connection is not None:
            self._context.handler.on_writable(self._connection, False)

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._connection is not None:
            self._context.handler.on_writable(self._connection, True)

    def shutdown(self) -> None:
        """Uvicorn's last word; the gateway's own drain has said good-bye before."""
        self.shut(Close.RESTART, "restart")

    def _send_away(self, last_words: bytes) -> None:
        """A client that shows no token: nothing is kept of it, and it is no connection of the gateway's."""
        transport = self._transport
        assert transport is not None
        metrics.closed.labels(str(Close.TOKEN.value)).inc()
        self._state = TransportState.ENDED
        transport.write(last_words)
        if transport.can_write_eof():
            transport.write_eof()  # not closed yet: what it has sent meanwhile would reset it, and lose these words
        asyncio.get_running_loop().call_later(SENT_AWAY_WITHIN_S, transport.abort)

    def shut(self, code: int, reason: str) -> None:
        """Say why, as the last thing, and close."""
        raise NotImplementedError

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _left(self) -> None:
        """The other side has ended it. What is written yet has its deadline as after our own last word."""
        was_open, self._state = self._state is TransportState.OPEN, TransportState.ENDED
        if was_open:
            self._tell_closing(None)

    def _tell_closing(self, code: int | None) -> None:
        if self._connection is not None:
            self._context.handler.on_closing(self._connection, code)
