"""Limits on answers that nobody reads: how much of one the system keeps, for how long, and how many of an address.

A client that asks for much and reads nothing must fill neither this process nor the system's buffers.
"""

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from clarion.contracts.limits import KIB

TAKEN_WITHIN_S: Final = 60.0  # how long a reader has for an answer: enough for 1 MiB at 17 KiB/s
OF_ADDRESS: Final = 32  # answers that may wait for readers at one address
# What the system keeps of an answer that nobody reads. By itself it would take megabytes, and keep them for minutes.
_KEPT_BYTES: Final = 64 * KIB
_KEPT_MS: Final = 30_000  # also after the connection is closed here


def bound(transport: asyncio.BaseTransport) -> None:
    """Limit how much of a connection's unread answers the system keeps, and on Linux also for how long."""
    if (found := transport.get_extra_info("socket")) is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KEPT_BYTES)
        if sys.platform == "linux":
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _KEPT_MS)


class Readers:
    """The answers that wait for their readers, by address: at most `most` at each, where 0 is no limit.

    Those that have waited longest come first. `on_reset` is called for each connection that is reset.
    """

    def __init__(self, most: int, on_reset: Callable[[], None]) -> None:
        self._most: Final = most
        self.on_reset: Final = on_reset
        self._waiting: Final[dict[str, dict[Waiting, None]]] = {}

    def enter(self, address: str, waiting: "Waiting") -> "Waiting | None":
        """Count an answer as waiting; return the one to reset for it, if there are too many at its address.

        That is the one that has waited longest: one whose client reads, if slowly, waits less long than the others.
        """
        others = self._waiting.setdefault(address, {})
        others[waiting] = None
        return next(iter(others)) if 0 < self._most < len(others) else None

    def leave(self, address: str, waiting: "Waiting") -> None:
        """Count an answer as waiting no more."""
        others = self._waiting.get(address, {})
        others.pop(waiting, None)
        if not others:
            self._waiting.pop(address, None)


class Waiting:
    """What is written on one connection while it waits for its reader: for TAKEN_WITHIN_S at most.

    With `readers`, it also counts against the limit of its address.
    """

    def __init__(self, transport: asyncio.Transport, readers: Readers | None, address: str) -> None:
        self._transport: Final = transport
        self._readers: Final = readers
        self._address: Final = address
        self._deadline: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Reset the connection after TAKEN_WITHIN_S, or earlier if too many of its address wait less long."""
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(TAKEN_WITHIN_S, self.reset)
        if self._readers is not None and self._transport.get_write_buffer_size():
            first = self._readers.enter(self._address, self)
            if first is not None:
                first.reset()

    def end(self) -> None:
        """Stop waiting: the answer was read, or the connection is gone."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._readers is not None:
            self._readers.leave(self._address, self)

    def reset(self) -> None:
        """End the connection, and drop what the system still has of it, which else would wait for minutes more."""
        self.end()
        if self._readers is not None:
            self._readers.on_reset()
        found: Any = self._transport.get_extra_info("socket")
        if found is not None and found.fileno() >= 0:  # else the client has gone already
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
