"""The WebSocket: a uvicorn `ws=` protocol class (RFC 6455) without a task, queue or timer per connection.

uvicorn hands over the upgrade request that it has read. A connection keeps little: the bytes of a frame that has not
come as a whole, and a message in fragments, and both only while there are any.
"""

from http import HTTPStatus
from typing import Any, Final

from websockets.http11 import Request

from clarion.contracts.api import frames
from clarion.contracts.api.close_codes import Close
from clarion.contracts.limits import FRAME_BYTES
from clarion.security.tokens import TokenError
from services.gateway.access.connection_limits import Refusal
from services.gateway.transport import ws_frames, ws_handshake
from services.gateway.transport.base import ClientTransport, TransportContext, TransportState
from services.gateway.transport.ws_frames import Fragments, FrameError

PATH: Final = "/v1/ws"
# Looking these members up in their enum would take a tenth of the time that an acknowledgement takes.
_CONNECTING: Final = TransportState.CONNECTING
_OPEN: Final = TransportState.OPEN
_ENDED: Final = TransportState.ENDED
_FRAMES_AFTER_CLOSE: Final = 64  # in one read: acknowledgements under way, and the client's close


class WebSocketTransport(ClientTransport):
    """Reads and writes the WebSocket of one client."""

    __slots__ = ("_buffer", "_fragments", "_pong_owed")

    def __init__(self, context: TransportContext, config: Any, server_state: Any, app_state: Any) -> None:
        super().__init__(context, server_state)
        self._buffer: bytearray | None = None
        self._fragments: Fragments | None = None
        self._pong_owed: bytes | None = None

    # ---- asyncio

    def data_received(self, data: bytes) -> None:
        """Answer the upgrade request, which comes first; what comes after that is handled in its turn."""
        if self._state is _CONNECTING:
            self._answer(data)
        elif self._state is not _ENDED:
            self._context.inbound.put(self, data)

    def handle(self, data: bytes) -> None:
        """Handle the frames that have come."""
        if self._state is not _ENDED:
            try:
                self._read(data)
            except FrameError as violation:
                self._fail(violation)

    def handle_waiting(self) -> None:
        """Handle the frames that wait in the gateway's `Inbound`."""
        self._context.inbound.handle_now(self)

    def eof_received(self) -> None:
        """Handle what the client has sent before it ended the connection, then note the end."""
        self.handle_waiting()
        super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle what the client has sent before its socket was gone, then tell the gateway."""
        self.handle_waiting()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Send the pong that is owed, and tell the gateway that the write buffer has room again."""
        self._is_paused = False
        if self._pong_owed is not None:
            self._pong(self._pong_owed)
            self._pong_owed = None
        super().resume_writing()

    # ---- what the gateway calls

    def write(self, text: bytes) -> None:
        """Send a text frame. Nothing happens on a socket that is closing: its close frame was the last."""
        if self._state is _OPEN and self._transport is not None:
            self._transport.write(ws_frames.make(ws_frames.TEXT, text))

    def shut(self, code: int, reason: str) -> None:
        """Send a close frame; `Heartbeats` cuts the client off if it does not answer in time."""
        if self._state is _OPEN and self._transport is not None:
            self._transport.write(ws_frames.make_close(code, reason))
            self._state = TransportState.CLOSING
            self._tell_closing(code)

    # ---- the upgrade

    def _answer(self, request: bytes) -> None:
        """Accept or refuse the upgrade.

        What is wrong with the token is said after an accepted upgrade (4401): a browser sees a refused upgrade as 1006.
        """
        transport = self._transport
        assert transport is not None
        address = ""

        def refusal(request: Request, token: str | TokenError) -> Refusal | None:
            nonlocal address
            headers = request.headers
            address = self._context.address(transport, headers.get_all("Forwarded"), headers.get_all("X-Forwarded-For"))
            return self._refusal(request, address, token)

        answer = ws_handshake.answer(request, refusal, self._context.origins)
        transport.write(answer.response)
        if answer.token is None:
            self._state = _ENDED
            transport.close()
        elif isinstance(answer.token, TokenError):
            reason = str(answer.token)
            told = ws_frames.make(ws_frames.TEXT, frames.encode(frames.Error(Close.TOKEN.name.lower(), reason)))
            self._send_away(told + ws_frames.make_close(Close.TOKEN, reason))
        else:
            self._state = _OPEN
            self._connection = self._context.handler.on_open(self, address)
            self._context.handler.on_token(self._connection, answer.token)

    def _refusal(self, request: Request, address: str, token: str | TokenError) -> Refusal | None:
        """Return why this upgrade is refused, or None."""
        path, _, _ = request.path.partition("?")
        if path.removesuffix("/") != PATH:
            return Refusal(HTTPStatus.NOT_FOUND, f"this path has no WebSocket: it is at {PATH}")
        for name in ("Origin", "Authorization"):
            if len(request.headers.get_all(name)) > 1:
                return Refusal(HTTPStatus.BAD_REQUEST, f"the header {name} may come only once")
        return self._context.refusal(request.headers.get("Origin"), address, token)

    # ---- frames

    def _read(self, data: bytes | bytearray) -> None:
        """Handle every frame that has come as a whole, and keep the rest. Raises FrameError."""
        if self._buffer is not None:
            self._buffer += data
            data, self._buffer = self._buffer, None
        at, end = 0, len(data)
        after_close = 0
        while at < end and self._state is not _ENDED:
            if self._state is not _OPEN:
                after_close += 1
                if after_close > _FRAMES_AFTER_CLOSE:
                    self._state = _ENDED
                    return
            room = FRAME_BYTES - len(self._fragments) if self._fragments is not None else FRAME_BYTES
            frame = ws_frames.parse(data, at, room)
            if frame is None:
                self._buffer = bytearray(data[at:]) if at or isinstance(data, bytes) else data
                return
            opcode, is_final, payload, at = frame
            if opcode == ws_frames.TEXT and is_final and self._fragments is None:
                # While closing, a message is skipped and what follows it is read: the client's close frame may come in
                # the same segment as an acknowledgement.
                if self._state is _OPEN and self._connection is not None:
                    if not payload.isascii():
                        ws_frames.check_utf8(payload)
                    self._context.handler.on_message(self._connection, payload)
            else:
                self._handle(opcode, payload, is_final=is_final)

    def _handle(self, opcode: int, payload: bytes, *, is_final: bool) -> None:
        """Handle a frame that is not a whole text message; each is counted against the limit of frames."""
        if self._state is _OPEN and self._connection is not None:
            self._context.handler.on_control_frame(self._connection)
        if opcode <= ws_frames.BINARY:
            self._gather(opcode, payload, is_final=is_final)
        elif opcode == ws_frames.PING:
            self._pong(payload)
        elif opcode == ws_frames.CLOSE:
            self._close(payload)

    def _gather(self, opcode: int, payload: bytes, *, is_final: bool) -> None:
        """Gather a message in fragments, and refuse a binary one. Raises FrameError."""
        if self._state is not _OPEN:
            return
        if (opcode == ws_frames.CONTINUATION) == (self._fragments is None):
            raise FrameError(Close.NOT_RFC_6455, "the fragments of a message are out of order")
        if opcode == ws_frames.BINARY:
            self.shut(Close.BINARY, "only text frames are accepted")
            return
        if self._fragments is None:
            self._fragments = Fragments()
        text = self._fragments.add(payload, is_final=is_final)
        if is_final:
            self._fragments = None
            if self._connection is not None:
                self._context.handler.on_message(self._connection, text)

    def _pong(self, payload: bytes) -> None:
        """Answer a ping. A client that reads nothing is owed the answer to its latest ping only (RFC 6455, 5.5.3)."""
        if self._is_paused:
            self._pong_owed = payload
        elif self._state is _OPEN and self._transport is not None:
            self._transport.write(ws_frames.make(ws_frames.PONG, payload))

    def _close(self, payload: bytes) -> None:
        """Handle the client's close frame: echo it unless it answers ours, and close the socket (RFC 6455, 7.1.1).

        Raises FrameError.
        """
        ws_frames.check_close(payload)
        if self._fragments is not None:
            raise FrameError(Close.NOT_RFC_6455, "the connection was closed before a message was complete")
        if self._transport is not None:
            if self._state is _OPEN:
                self._transport.write(ws_frames.make(ws_frames.CLOSE, payload))
            self._transport.close()
        self._left()

    def _fail(self, violation: FrameError) -> None:
        """Say why in a close frame, and ignore what comes after that.

        `Heartbeats` cuts the client off if it does not close in time.
        """
        self.shut(violation.code, str(violation))
        self._state = _ENDED
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
