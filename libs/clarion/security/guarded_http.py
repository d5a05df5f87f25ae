"""uvicorn's HTTP protocol with what it lacks: limits on headers, on answers that nobody reads, and on sockets."""

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
LINGERS_S: Final = 1.0  # after our last word: what comes meanwhile is read and dropped

# Said to whom is not read to the end, so nobody knows its Origin; any page may read it, for it depends on nobody.
_ANY_PAGE: Final = ("access-control-allow-origin: *", "access-control-expose-headers: Retry-After")
_TOO_LARGE: Final = problems.last_answer(431, f"the headers have at most {limits.HEADER_BYTES} bytes", *_ANY_PAGE)
_TOO_MANY: Final = problems.last_answer(
    429, "too many connections from this address: close some, or come back later", "retry-after: 10", *_ANY_PAGE
)
_FULL: Final = problems.last_answer(
    503, "this process has no file descriptors left for connections: come back later", "retry-after: 10", *_ANY_PAGE
)


class _HeadersTooLarge(Exception):
    """Inside the parser's callbacks; the parser turns it into an error of its own."""


class _Pipelined(Exception):
    """As above: a request came before the one in front of it was answered."""


def _always(_: Sized) -> bool:
    return True


class GuardedHttp(HttpToolsProtocol):
    """`addresses` limits the sockets of an address that speak HTTP, or nothing yet; not those of a trusted proxy.

    `unread` limits the answers of an address that wait for their readers, likewise; see `unread.py`.

    `has_room` says of the connections of this process whether one more may be among them.
    A socket that another protocol takes over is not counted here any more: from then on that protocol counts it.

    A client that is refused may be sending its request yet, and closing a socket with something unread resets it, and
    takes the answer with it. So such a socket is closed for writing, and read on for a moment: at most as many of an
    address as may be inside at once.

    Requests are not pipelined: uvicorn would queue as many as one read holds. What comes before an answer is dropped,
    and that answer is the last (RFC 9112, 9.3.2: the client asks again on another connection).
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
        self._is_bound = False  # what the system may keep of it
        self._header_bytes = 0
        self._is_last = False  # nothing that comes now is looked at
        self._is_told = False  # nor now, and our last word is said
        self._deadline: asyncio.TimerHandle | None = None  # of a request's headers, and of a socket that lingers
        self._unread = unread
        self._waiting: Waiting

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        # not uvicorn's own: it asks a socket object, which keeps both addresses for as long as the connection lasts
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server, self.client = _address(transport, "sockname"), _address(transport, "peername")
        self.scheme = "https" if is_ssl(transport) else "http"
        address = self._limited_address()
        self._waiting = Waiting(transport, self._unread if address else None, address)
        if not self._has_room(self.connections):
            self._end(_FULL)
            self.transport.close()  # it does not linger: what is short is what it would hold
        elif self._may_enter():
            self._expect_headers()
        else:
            self._end(_TOO_MANY)
            if not self._may_enter("refused "):
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_last or self._is_told:
            return
        self._unset_keepalive_if_required()
        self._feed(data)
        if self.is_over():
            return
        # the parser reports a header when it is complete: an endless one shows only in the bytes that went in
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > limits.HEADER_BYTES:
                self._end(_TOO_LARGE)
        elif self._deadline is None and self.cycle and self.cycle.response_complete:
            # bytes of no request, such as an empty line, or of one that has its answer: they ended the keep-alive
            self._deadline = self.loop.call_later(HEADERS_WITHIN_S, self._end)

    def _feed(self, data: bytes) -> None:
        """As uvicorn does it, but for upgrades to what we do not speak: these are ignored (RFC 9110, 7.8).

        Java's HTTP client asks for `h2c` with every first request of a connection. llhttp takes all that follows the
        headers of such a request, its body too, for the other protocol: so it is read again without its wish.
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
            self.send_400_response("Invalid HTTP request received.")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._waiting.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._waiting.end()

    def on_message_begin(self) -> None:
        if self._is_answering():
            self._is_last = True
            raise _Pipelined
        super().on_message_begin()
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._asks_in_vain():
            self._has_headers()
            self._bound_unread()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._asks_in_vain():
            super().on_message_complete()

    def _asks_in_vain(self) -> bool:
        """For an upgrade that there is not: the request comes again without it."""
        parser: Any = self.parser
        return parser.should_upgrade() and not self._should_upgrade()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # of a connection that is lost already the timer would keep the protocol, and find no socket to reset
        if self.transport.is_closing() and self in self.connections:
            self._waiting.begin()

    def timeout_keep_alive_handler(self) -> None:
        self._end()

    def handle_websocket_upgrade(self) -> None:
        if not self._is_free():
            self.send_400_response("upgrade when the last answer is read")
            return
        self._disarm()
        self._leave()
        try:
            super().handle_websocket_upgrade()
        finally:
            self._drop_request()

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """From here on the socket is `protocol`'s."""
        self._leave()
        self._disarm()
        self.connections.discard(self)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        self._drop_request()

    def _drop_request(self) -> None:
        """Both hold this protocol, with the request in it, until the garbage collector comes."""
        self.parser = None  # pyright: ignore[reportAttributeAccessIssue] - as uvicorn does it when a connection is lost
        self.cycle = None  # pyright: ignore[reportAttributeAccessIssue] - of an earlier request

    def send_400_response(self, msg: str) -> None:
        if self._is_last:
            self.cycle.keep_alive = False  # and read on: a socket that is closed with something unread is reset
        elif self._header_bytes > limits.HEADER_BYTES:
            self._end(_TOO_LARGE)
        else:
            self._end(problems.last_answer(400, msg.rstrip("."), *_ANY_PAGE))

    def is_over(self) -> bool:
        """Whether nothing more can be said."""
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
        """Empty for a trusted proxy's."""
        if self.client is None or is_within(self.client[0], self._trusted):
            return ""
        return client_address(self.client[0], (), (), ())

    def _leave(self) -> None:
        if self._addresses is not None and self._inside:
            self._addresses.leave(self._inside)
            self._inside = ""

    def _is_answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete  # there is none before the first request

    def _is_free(self) -> bool:
        """Whether another protocol may have the socket: it would not be told that an earlier answer has paused it."""
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
        """Of an answer; not of what upgrades: its reader is asked for a sign of life."""
        parser: Any = self.parser
        if parser.should_upgrade() or self._is_bound:
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
