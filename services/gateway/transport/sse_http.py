"""Serves the gateway's HTTP on a socket, and takes the socket of an event stream out of uvicorn's hands."""

from typing import Any, Final

from clarion.contracts.api import streams
from clarion.security.address_counter import AddressCounter
from clarion.security.guarded_http import GuardedHttp
from services.gateway.transport.base import TransportContext
from services.gateway.transport.sse import SseRequest, SseTransport

_PATH: Final = streams.PATH.encode()


class _TooMuch(Exception):
    """Raised within the parser's callbacks, for bytes after a request for an event stream; the parser wraps it."""


class SseHttp(GuardedHttp):
    """A uvicorn `http=` class that hands a request for the event stream to an `SseTransport`.

    An event stream through the application would cost a task, a queue and the request, for as long as it lasts.
    """

    def __init__(self, *args: Any, context: TransportContext, addresses: AddressCounter, **kwargs: Any) -> None:
        super().__init__(*args, addresses=addresses, trusted=context.trusted, **kwargs)
        self._context = context
        self._asked: SseRequest | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what came, and hand the socket over when it is a request for the event stream."""
        super().data_received(data)
        if self._asked is not None and not self.is_over():
            asked, self._asked = self._asked, None
            stream = SseTransport(self._context, self.server_state)
            self.hand_over(stream)
            stream.answer(asked)

    def on_message_begin(self) -> None:
        """Begin a request, which may not follow one for the event stream."""
        self._refuse_more()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Keep a request for the event stream; any other goes to uvicorn."""
        parser: Any = self.parser
        path, _, query = self.url.partition(b"?")
        if (
            path.removesuffix(b"/") == _PATH
            and parser.get_method() == b"GET"
            and self._is_free()
            and not parser.should_upgrade()
        ):
            self._has_headers()
            self._asked = SseRequest(query, self.headers)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; a request for the event stream has none."""
        self._refuse_more()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request, unless it is one for the event stream, which uvicorn does not know."""
        if self._asked is None:
            super().on_message_complete()

    def _refuse_more(self) -> None:
        """Raise `_TooMuch` when an event stream was asked for: nothing may follow in the same read.

        The stream is not begun then, and the parser's error is answered with 400.
        """
        if self._asked is not None:
            self._asked = None
            raise _TooMuch
