"""uvicorn's HTTP protocol with the limits that it lacks: on headers, on answers that nobody reads, and on sockets."""

import asyncio
from collections.abc import Callable, Sized
from typing import Any, Final

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import is_ssl

from clarion.contracts import limits
from clarion.contracts.api import problems
from clarion.security.address_counter import AddressCounter
from clarion.security.addresses import Networks, client_address, is_within
from clarion.security.unread import Readers, Waiting, bound

HEADERS_WITHIN_S: Final = 10.0
LINGERS_S: Final = 1.0  # how long a refused client's socket is read on, and what comes is dropped

# Answers to requests that are not read to their end, so that no Origin is known: pages of all origins may read them.
_ANY_PAGE: Final = ("access-control-allow-origin: *", "access-control-expose-headers: Retry-After")
_TOO_LARGE: Final = problems.last_answer(431, f"the headers may have at most {limits.HEADER_BYTES} bytes", *_ANY_PAGE)
_TOO_MANY: Final = problems.last_answer(
    429, "this address has too many connections: close some, or try again later", "retry-after: 10", *_ANY_PAGE
)
_FULL: Final = problems.last_answer(
    503, "this process has no file descriptors left for connections: try again later", "retry-after: 10", *_ANY_PAGE
)


class _HeadersTooLarge(Exception):
    """Raised in a callback of the parser, which turns it into an error of its own."""


class _Pipelined(Exception):
    """Raised likewise when a request comes before the answer to the one in front of it."""


def _always(_: Sized) -> bool:
    return True


class GuardedHttp(HttpToolsProtocol):
    """HTTP on one connection. The limits of an address do not count those of a trusted proxy.

    `addresses` counts an address's sockets that speak HTTP, or nothing yet; `unread` its answers that wait for readers.
    `has_room` says whether this process may have one more. The socket of a refused client is closed for writing and
    read on, as many of an address as may be inside: closed with unread input, it would be reset and the answer lost.
    """

    def __init__(
        self,
        *args: Any,
        addresses: AddressCounter | None = None,
        trusted: Networks = (),
        has_room: Callable[[Sized], bool] = _always,
        unread: Readers | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._addresses = addresses
        self._trusted = trusted
        self._has_room = has_room
        self._inside = ""
        self._in_headers = True
        self._is_bound = False  # whether the system keeps only so much of unread answers
        self._header_bytes = 0
        self._is_last = False  # the answer under way is the last: all input is dropped
        self._is_told = False  # the last answer is written: all input is dropped
        self._deadline: asyncio.TimerHandle | None = None  # for a request's headers, or the end of a refused socket
        self._unread = unread
        self._waiting: Waiting

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Admit or refuse the client. uvicorn's own asks the socket object, which then keeps both addresses."""
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server, self.client = _address(transport, "sockname"), _address(transport, "peername")
        self.scheme = "https" if is_ssl(transport) else "http"
        address = self._limited_address()
        self._waiting = Waiting(transport, self._unread if address else None, address)
        if not self._has_room(self.connections):
            self._end(_FULL)
            self.transport.close()  # at once: reading on would hold a descriptor, which is what is short
        elif self._may_enter():
            self._expect_headers()
        else:
            self._end(_TOO_MANY)
            if not self._may_enter("refused "):
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the timers, and count the connection no more."""
        self._disarm()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse input within the limits. An endless header shows in the bytes only: the parser reports whole ones."""
        if self._is_last or self._is_told:
            return
        self._unset_keepalive_if_required()
        self._feed(data)
        if self.is_over():
            return
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > limits.HEADER_BYTES:
                self._end(_TOO_LARGE)
        elif self._deadline is None and self.cycle and self.cycle.response_complete:
            # bytes of no request, such as an empty line, or of one that is answered: uvicorn's timer has ended by them
            self._deadline = self.loop.call_later(HEADERS_WITHIN_S, self._end)

    def _feed(self, data: bytes) -> None:
        """Parse as uvicorn does, but ignore upgrades to other protocols than WebSocket (RFC 9110, 7.8).

        Java's HTTP client first asks for `h2c`. llhttp takes the request's body for that, so all is parsed once more.
        """
        parser: Any = self.parser
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            else:
                lines = [b"%b %b HTTP/%b" % (parser.get_method(), self.url, parser.get_http_version().encode())]
                lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
                self.parser = httptools.HttpRequestParser(self)
                self._feed(b"\r\n".join([*lines, b"", data[upgrade.args[0] :]]))
        except httptools.HttpParserError:
            self.send_400_response("the request is not valid HTTP")

    def pause_writing(self) -> None:
        """Begin to wait for the reader of an answer."""
        super().pause_writing()
        self._waiting.begin()

    def resume_writing(self) -> None:
        """Stop waiting for the reader, unless the connection is closing and its rest still has to be read."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._waiting.end()

    def on_message_begin(self) -> None:
        """Drop pipelined requests, which uvicorn would queue: the client repeats them elsewhere (RFC 9112, 9.3.2)."""
        if self._is_answering():
            self._is_last = True
            raise _Pipelined
        super().on_message_begin()
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        """Count the request's target as part of its headers."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request, unless it is to be parsed again without its upgrade."""
        if not self._asks_in_vain():
            self._has_headers()
            self._bound_unread()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request's body, likewise."""
        if not self._asks_in_vain():
            super().on_message_complete()

    def _asks_in_vain(self) -> bool:
        """Return whether the request wants an upgrade that is ignored: it is parsed again without it."""
        parser: Any = self.parser
        return parser.should_upgrade() and not self._should_upgrade()

    def on_response_complete(self) -> None:
        """Wait for the reader of the last answer, unless the connection is lost: the timer would keep the protocol."""
        super().on_response_complete()
        if self.transport.is_closing() and self in self.connections:
            self._waiting.begin()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which no request came in time."""
        self._end()

    def handle_websocket_upgrade(self) -> None:
        """Let the WebSocket protocol take over, if the last answer is read."""
        if not self._is_free():
            self.send_400_response("read the answer to the last request before you ask for an upgrade")
            return
        self._disarm()
        self._leave()
        try:
            super().handle_websocket_upgrade()
        finally:
            self._drop_request()

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Give the socket to `protocol`, which counts it from now on."""
        self._leave()
        self._disarm()
        self.connections.discard(self)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        self._drop_request()

    def _drop_request(self) -> None:
        """Drop what holds this protocol, with the request in it, until the garbage collector comes."""
        self.parser = None  # pyright: ignore[reportAttributeAccessIssue] - as uvicorn does it when a connection is lost
        self.cycle = None  # pyright: ignore[reportAttributeAccessIssue] - that of an earlier request

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or what one of the callbacks refuses."""
        if self._is_last:
            self.cycle.keep_alive = False  # and not closed: closing a socket with unread input resets it
        elif self._header_bytes > limits.HEADER_BYTES:
            self._end(_TOO_LARGE)
        else:
            self._end(problems.last_answer(400, msg.rstrip("."), *_ANY_PAGE))

    def is_over(self) -> bool:
        """Return whether nothing more can be sent."""
        return self._is_told or self.transport.is_closing()

    def _may_enter(self, among: str = "") -> bool:
        if self._addresses is None or not (address := self._limited_address()):
            return True
        address = among + address
        if self._addresses.is_full(address):
            return False
        self._addresses.enter(address)
        self._inside = address
        return True

    def _limited_address(self) -> str:
        if self.client is None or is_within(self.client[0], self._trusted):
            return ""
        return client_address(self.client[0], (), (), ())

    def _leave(self) -> None:
        if self._addresses is not None and self._inside:
            self._addresses.leave(self._inside)
            self._inside = ""

    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete  # no cycle before the first request

    def _is_free(self) -> bool:
        """Return whether another protocol may have the socket: it would not know that an earlier answer pauses it."""
        return not self._is_answering() and not self.transport.get_write_buffer_size()

    def _expect_headers(self) -> None:
        self._header_bytes = 0
        self._has_headers()
        self._in_headers = True
        self._deadline = self.loop.call_later(HEADERS_WITHIN_S, self._end)

    def _has_headers(self) -> None:
        self._in_headers = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _bound_unread(self) -> None:
        parser: Any = self.parser
        if parser.should_upgrade() or self._is_bound:  # a client that upgrades is asked for signs of life instead
            return
        self._is_bound = True
        bound(self.transport)

    def _disarm(self) -> None:
        self._has_headers()
        self._waiting.end()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > limits.HEADER_BYTES:
            raise _HeadersTooLarge

    def _end(self, last_word: bytes = b"") -> None:
        if last_word:
            self._is_told = True
            self.transport.write(last_word)
            if self.transport.can_write_eof() and not self._is_answering():
                self.transport.write_eof()
                self._has_headers()
                self._deadline = self.loop.call_later(LINGERS_S, self._end)
                return
        self.transport.close()
        self._waiting.begin()


def _address(transport: asyncio.Transport, name: str) -> tuple[str, int] | None:
    found: Any = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if found else None
