"""Answers that nobody reads: what the system keeps of one, for how long, and how many an address may leave.

Whoever asks for much and reads nothing must leave it neither in this process nor in the system's buffers.
"""

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from clarion.contracts.limits import KIB

TAKEN_WITHIN_S: Final = 60.0  # an answer by its reader: 1 MiB at 17 KiB/s
OF_ADDRESS: Final = 32
# The system keeps so much of an answer that nobody reads; it would take megabytes, and keep them for minutes.
_KEPT_BYTES: Final = 64 * KIB
_KEPT_MS: Final = 30_000  # for so long, also when the connection is closed here: it would be minutes


def bound(transport: asyncio.BaseTransport) -> None:
    if (found := transport.get_extra_info("socket")) is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KEPT_BYTES)
        if sys.platform == "linux":
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _KEPT_MS)


class Readers:
    """The answers that wait for readers at each address, those that wait longest first: at most `most`; 0 is no limit.

    Bounded by the connections. `on_reset` is told of each that is not waited for any longer.
    """

    def __init__(self, most: int, on_reset: Callable[[], None]) -> None:
        self._most: Final = most
        self.on_reset: Final = on_reset
        self._waiting: Final[dict[str, dict[Waiting, None]]] = {}

    def enter(self, address: str, waiting: "Waiting") -> "Waiting | None":
        """Who has to go for it: whoever reads, if slowly, does not wait as long as those who do not."""
        others = self._waiting.setdefault(address, {})
        others[waiting] = None
        return next(iter(others)) if 0 < self._most < len(others) else None

    def leave(self, address: str, waiting: "Waiting") -> None:
        others = self._waiting.get(address, {})
        others.pop(waiting, None)
        if not others:
            self._waiting.pop(address, None)


class Waiting:
    """What is written on one connection, while it waits for its reader; without `readers` only for so long."""

    def __init__(self, transport: asyncio.Transport, readers: Readers | None, address: str) -> None:
        self._transport: Final = transport
        self._readers: Final = readers
        self._address: Final = address
        self._deadline: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Reset the connection in TAKEN_WITHIN_S, or earlier if too many of its address wait less long."""
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(TAKEN_WITHIN_S, self.reset)
        if self._readers is not None and self._transport.get_write_buffer_size():
            first = self._readers.enter(self._address, self)
            if first is not None:
                first.reset()

    def end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._readers is not None:
            self._readers.leave(self._address, self)

    def reset(self) -> None:
        """End it, and what the system has of it: else that waits for a reader who is gone for minutes more."""
        self.end()
        if self._readers is not None:
            self._readers.on_reset()
        found: Any = self._transport.get_extra_info("socket")
        if found is not None and found.fileno() >= 0:  # its client may be gone already
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
