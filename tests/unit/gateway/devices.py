"""Devices of users: connections whose wire keeps what is written to it, or leads nowhere, and items for them."""

from datetime import UTC, datetime

from clarion.contracts.api import frames
from clarion.contracts.lanes import Lane
from clarion.security.tokens import Claims
from services.gateway.client.connection import Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import Feed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Nowhere:
    def write(self, text: bytes) -> None: ...
    def handle_waiting(self) -> None: ...

    def shut(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...


class Written:
    """A wire that keeps what is written to it."""

    def __init__(self) -> None:
        self.frames: list[frames.ServerFrame] = []

    def write(self, text: bytes) -> None:
        self.frames.append(frames.decode_server(text))

    def handle_waiting(self) -> None: ...

    def shut(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...


def offered(n: int, size: int = 20) -> OutgoingItem:
    return OutgoingItem(f"id-{n}", Lane.NORMAL, n, b'{"n":%d,"x":"%b"}' % (n, b"x" * size))


def device(user: str = "ann", *, live: bool = True) -> tuple[Connection, list[frames.ServerFrame]]:
    transport = Written()
    feed = Feed(opened=NOW, since=NOW)
    while live and (issued := feed.next_read()):
        feed.read(issued, [])
    claims = Claims(user, frozenset({"subscribe"}), 0.0)
    return Connection(transport, feed, claims=claims, state=ConnectionState.VERIFIED), transport.frames
