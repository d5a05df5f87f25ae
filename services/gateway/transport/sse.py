"""Carries a connection as Server-Sent Events: each frame is an event of one response that has no end.

An event stream is for clients that cannot use WebSocket; like a socket it has no task, queue or timer. Browsers read it
with fetch: an EventSource cannot set headers, and a token must not stand in an address. The client sends by POST
(`sse_acks`); only its `resume` comes with the request.
"""

from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qs

import msgspec

from clarion.contracts.api import frames, streams
from clarion.contracts.api.close_codes import Close
from clarion.contracts.api.problems import MEDIA_TYPE, problem_of
from clarion.security.bearer import shown
from clarion.security.tokens import TokenError
from services.gateway.access.connection_limits import Refusal
from services.gateway.transport.base import ClientTransport, TransportState

_FRESH: Final = frames.encode(frames.Resume())


class SseRequest(NamedTuple):
    """A request for an event stream. Names of headers are in lower case."""

    query: bytes
    headers: list[tuple[bytes, bytes]]

    def all(self, name: bytes) -> list[str]:
        """Return every value of a header."""
        return [value.decode("latin-1") for found, value in self.headers if found == name]

    def first(self, name: bytes) -> str | None:
        """Return the first value of a header, or None."""
        return next(iter(self.all(name)), None)


class SseTransport(ClientTransport):
    """Writes the event stream of one client, on a socket that `SseHttp` has handed over."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Cut the client off: after its request it only receives, and all that it sends would be read for nothing."""
        self.abort()

    def write(self, text: bytes) -> None:
        """Send a frame as an event. Nothing happens once the stream is closing: the event `close` was the last."""
        if self._state is TransportState.OPEN and self._transport is not None:
            self._transport.write(streams.event(text))

    def handle_waiting(self) -> None:
        """Do nothing: its client sends by POST, which is handled as it comes."""

    def shut(self, code: int, reason: str) -> None:
        """Send the event `close`, with the code and the reason, and close the socket."""
        if self._state is TransportState.OPEN and self._transport is not None:
            self._transport.write(streams.close_event(code, reason))
            self._state = TransportState.CLOSING
            self._transport.close()  # once all is sent; `Heartbeats` aborts it if that takes too long
            self._tell_closing(code)

    def answer(self, asked: SseRequest) -> None:
        """Begin the event stream, or refuse it.

        As on a socket, what is wrong with the token or the user is said after the beginning, by the last events.
        """
        assert self._transport is not None
        gateway, origin = self._context.handler, asked.first(b"origin")
        address = self._context.address(self._transport, asked.all(b"forwarded"), asked.all(b"x-forwarded-for"))
        token = shown(asked.first(b"authorization") or "", (), asked.query.decode("latin-1"))
        if refusal := self._context.refusal(origin, address, token):
            is_known = refusal.status is not HTTPStatus.FORBIDDEN
            self._transport.write(_refused(refusal, origin if is_known else None))
            self._state = TransportState.ENDED
            self._transport.close()
            return
        self._transport.write(_beginning(origin))
        if isinstance(token, TokenError):
            told = streams.event(frames.encode(frames.Error(Close.TOKEN.name.lower(), str(token))))
            self._send_away(told + streams.close_event(Close.TOKEN, str(token)))
            return
        self._state = TransportState.OPEN
        connection = self._connection = gateway.on_stream_open(self, address)
        gateway.on_token(connection, token)
        if connection.is_open:
            gateway.on_message(connection, _resume(asked.query))


def _resume(query: bytes) -> bytes:
    """Return the frame in the query's parameter `resume`; without one, the `resume` of a fresh client."""
    found = parse_qs(query.decode("latin-1")).get("resume")
    return found[0].encode() if found else _FRESH


def _beginning(origin: str | None) -> bytes:
    """Return the head of the response that is the event stream."""
    # A proxy that gathers the answer to compress it would hold every event back. `no-transform` forbids that, and
    # nginx has a header of its own for it.
    return _head(
        HTTPStatus.OK, streams.MEDIA_TYPE, origin, "cache-control: no-store, no-transform", "x-accel-buffering: no"
    )


def _refused(refusal: Refusal, origin: str | None) -> bytes:
    """Return the whole response that refuses a stream, as problem details (RFC 9457)."""
    body = msgspec.json.encode(problem_of(refusal.status, refusal.detail))
    more = [f"content-length: {len(body)}"]
    if refusal.retry_after_s is not None:
        more.append(f"retry-after: {refusal.retry_after_s}")
    return _head(refusal.status, MEDIA_TYPE, origin, *more) + body


def _head(status: HTTPStatus, media_type: str, origin: str | None, *more: str) -> bytes:
    """Return the head of a response that ends with its connection."""
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"content-type: {media_type}",
        "connection: close",
        "vary: Origin",
        *more,
    ]
    if origin is not None:
        lines += [f"access-control-allow-origin: {origin}", "access-control-expose-headers: Retry-After"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
