"""What WebSockets and event streams share: one client over one TCP connection, and the interface that they report to.

A connection has no task, queue or timer of its own.
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
from services.gateway.client.inbound import Inbound

HIGH_WATER_BYTES: Final = 64 * 1024  # of unsent bytes: beyond it a client takes no more
SENT_AWAY_WITHIN_S: Final = 1.0  # until a client that showed no token is cut off


class ConnectionHandler(Interface):
    """What a transport tells of its client, and asks about it. No method may block."""

    def refusal(self, address: str, *, shows_token: bool) -> Refusal | None:
        """Return why a client at `address` may not connect now, or None."""
        ...

    def on_open(self, transport: Transport, address: str) -> Connection:
        """Take a client whose WebSocket is open, and return its connection."""
        ...

    def on_stream_open(self, transport: Transport, address: str) -> Connection:
        """Take a client whose event stream has begun, and return its connection."""
        ...

    def on_token(self, connection: Connection, token: str) -> None:
        """Begin to verify the token that the client has shown."""
        ...

    def on_message(self, connection: Connection, text: bytes) -> None:
        """Handle a whole message of the client."""
        ...

    def on_writable(self, connection: Connection, is_writable: bool) -> None:
        """Note that the transport takes more, or that its write buffer is full."""
        ...

    def on_control_frame(self, connection: Connection) -> None:
        """Note a frame that is not a whole text message, such as a ping or a fragment."""
        ...

    def on_closing(self, connection: Connection, code: int | None) -> None:
        """Note that this side has sent its last frame, with `code`, or with None that the client has ended it."""
        ...

    def on_closed(self, connection: Connection) -> None:
        """Forget a connection whose socket is gone."""
        ...


@dataclass(frozen=True, slots=True)
class TransportContext:
    """What all transports share.

    Pages of `origins` may connect. Behind `trusted` proxies a client's address is the forwarded one, not the peer's.
    """

    handler: ConnectionHandler
    origins: tuple[str, ...]
    trusted: Networks
    inbound: Inbound

    def refusal(self, origin: str | None, address: str, token: str | TokenError) -> Refusal | None:
        """Return why a client may not connect from `address`, or None.

        `origin` is that of the client's page, and None when the client is not a page.
        """
        if not is_allowed(origin, self.origins):
            return Refusal(HTTPStatus.FORBIDDEN, "this origin is not in CLARION_ORIGINS")
        return self.handler.refusal(address, shows_token=isinstance(token, str))

    def address(
        self, transport: asyncio.BaseTransport, forwarded: Sequence[str], x_forwarded_for: Sequence[str]
    ) -> str:
        """Return the network address of the client; a trusted proxy says it in its headers."""
        peername: Any = transport.get_extra_info("peername")
        return client_address(str(peername[0]) if peername else "", forwarded, x_forwarded_for, self.trusted)


class TransportState(Enum):
    """Where the transport of a client is in its life; `ConnectionState` is about the client itself."""

    CONNECTING = auto()
    OPEN = auto()
    CLOSING = auto()  # our last frame is sent, and the client is to end the connection
    ENDED = auto()  # whatever comes now is ignored


class ClientTransport(asyncio.Protocol):
    """Carries one client over one TCP connection. Subclasses say how frames become bytes."""

    __slots__ = ("_connection", "_context", "_is_paused", "_sockets", "_state", "_transport")

    def __init__(self, context: TransportContext, server_state: Any) -> None:
        self._context = context
        self._sockets: set[Any] = server_state.connections
        self._state = TransportState.CONNECTING
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over the socket."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        # uvicorn sets the protocol only once the request is answered: if answering raised, nobody would be told when
        # the socket is gone
        self._transport.set_protocol(self)
        self._sockets.add(self)

    def eof_received(self) -> None:
        """Note that the client has ended the connection.

        asyncio closes the transport afterwards, so a client that has closed only its sending side receives nothing
        more.
        """
        self._left()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the gateway that the socket is gone."""
        self._sockets.discard(self)
        self._state = TransportState.ENDED
        self._transport = None
        connection, self._connection = self._connection, None
        if connection is not None:
            self._context.handler.on_closed(connection)

    def pause_writing(self) -> None:
        """Tell the gateway that the write buffer is full."""
        self._is_paused = True
        if self._connection is not None:
            self._context.handler.on_writable(self._connection, False)

    def resume_writing(self) -> None:
        """Tell the gateway that the write buffer has room again."""
        self._is_paused = False
        if self._connection is not None:
            self._context.handler.on_writable(self._connection, True)

    def shutdown(self) -> None:
        """Close what is still open when uvicorn ends; the gateway's drain has sent clients away before."""
        self.shut(Close.RESTART, "restart")

    def _send_away(self, last_words: bytes) -> None:
        """Send `last_words` to a client that showed no token, and end it.

        Nothing is kept of such a client, and it does not count as a connection of the gateway.
        """
        transport = self._transport
        assert transport is not None
        metrics.closed.labels(str(Close.TOKEN.value)).inc()
        self._state = TransportState.ENDED
        transport.write(last_words)
        if transport.can_write_eof():
            # The socket is not closed yet: closed with something unread it is reset, and the last words are lost.
            transport.write_eof()
        asyncio.get_running_loop().call_later(SENT_AWAY_WITHIN_S, transport.abort)

    def shut(self, code: int, reason: str) -> None:
        """Send the last frame, with the code and the reason, and close."""
        raise NotImplementedError

    def abort(self) -> None:
        """End the connection at once; what is not sent yet is dropped."""
        if self._transport is not None:
            self._transport.abort()

    def _left(self) -> None:
        """Note that the client has ended the connection.

        What is written already may still be sent, within the same time as after a close by this side.
        """
        was_open, self._state = self._state is TransportState.OPEN, TransportState.ENDED
        if was_open:
            self._tell_closing(None)

    def _tell_closing(self, code: int | None) -> None:
        """Tell the gateway that the last frame was sent or received, if there is a connection yet."""
        if self._connection is not None:
            self._context.handler.on_closing(self._connection, code)
