"""uvicorn's HTTP protocol with what it lacks: limits on the size of headers, on their time, and on sockets."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import is_ssl

from clarion.contracts import limits
from clarion.security.addresses import Networks, client_address, is_within
from clarion.security.crowds import Crowds

HEADERS_WITHIN_S: Final = 10.0

_END: Final = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large" + _END
_TOO_MANY: Final = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 10" + _END


class _HeadersTooLarge(Exception):
    """Inside the parser's callbacks; the parser turns it into an error of its own."""


class GuardedHttp(HttpToolsProtocol):
    """`crowds` limits the sockets of an address that speak HTTP, or nothing yet; not those of a trusted proxy.

    A socket that another protocol takes over leaves its crowd: from then on that one counts it.
    """

    def __init__(self, *args: Any, crowds: Crowds | None = None, trusted: Networks = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._crowds = crowds
        self._trusted = trusted
        self._inside = ""
        self._in_headers = True
        self._header_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        # not uvicorn's own: it asks a socket object, which keeps both addresses for as long as the connection lasts
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server, self.client = _address(transport, "sockname"), _address(transport, "peername")
        self.scheme = "https" if is_ssl(transport) else "http"
        if self._may_enter():
            self._expect_headers()
        else:
            transport.write(_TOO_MANY)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # the parser reports a header when it is complete: an endless one shows only in the bytes that went in
        if self._in_headers and not self.transport.is_closing():
            self._header_bytes += len(data)
            if self._header_bytes > limits.HEADER_BYTES:
                self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._disarm()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        self._leave()
        super().handle_websocket_upgrade()
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
        if self._header_bytes > limits.HEADER_BYTES:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _may_enter(self) -> bool:
        if self._crowds is None or self.client is None or is_within(self.client[0], self._trusted):
            return True
        address = client_address(self.client[0], (), (), ())
        if self._crowds.is_full(address):
            return False
        self._crowds.enter(address)
        self._inside = address
        return True

    def _leave(self) -> None:
        if self._crowds is not None and self._inside:
            self._crowds.leave(self._inside)
            self._inside = ""

    def _expect_headers(self) -> None:
        self._in_headers = True
        self._header_bytes = 0
        self._disarm()
        self._deadline = self.loop.call_later(HEADERS_WITHIN_S, self.transport.close)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > limits.HEADER_BYTES:
            raise _HeadersTooLarge

    def _refuse(self) -> None:
        self.transport.write(_TOO_LARGE)
        self.transport.close()


def _address(transport: asyncio.Transport, name: str) -> tuple[str, int] | None:
    found: Any = transport.get_extra_info(name)
    return (str(found[0]), int(found[1])) if found else None
