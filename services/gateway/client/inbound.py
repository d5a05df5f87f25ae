"""What clients have sent: handled at once while that takes little time, else by one task in short pieces.

A turn of the event loop reads every socket that is ready. If it always handled what it reads as well, hundreds of
acknowledgements could come between two of the turns in which an urgent record gets from Kafka to its handler. To keep
each for the task would cost more CPU, which few acknowledgements need not.
"""

import asyncio
import time
from collections import OrderedDict
from typing import Final, Protocol

import structlog

from clarion.cooperative import AT_LEAST_EVERY_S, TimeSlice
from clarion.telemetry import metrics

log = structlog.get_logger()

MOST_BYTES: Final = 1024 * 1024
BULK_WAITS_S: Final = 0.01
_AT_ONCE_SHARE: Final = 0.25  # of all time, on and on


class Receiver(Protocol):
    """The transport of a client that has sent something."""

    def handle(self, data: bytes) -> None:
        """Handle what the client has sent. No error is expected."""
        ...

    def abort(self) -> None:
        """End the connection at once."""
        ...


class Inbound:
    """Handles what clients have sent, that of the client first that has waited longest.

    What comes while nothing waits is handled at once, for `at_once_s` seconds and a quarter of the time. Beyond
    `most_bytes` of all clients, all of it is handled at once, and others wait: it would not be less later.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, at_once_s: float = AT_LEAST_EVERY_S) -> None:
        self._most_bytes: Final = most_bytes
        self._at_once_s: Final = at_once_s
        self._left_s = at_once_s
        self._left_at = time.monotonic()
        self._waiting: Final[OrderedDict[Receiver, bytes]] = OrderedDict()
        self._bytes = 0
        self._came: Final = asyncio.Event()

    def put(self, receiver: Receiver, data: bytes) -> None:
        """Handle what a client has sent, or keep it until its turn."""
        if not self._waiting and self._handle_at_once(receiver, data):
            return
        earlier = self._waiting.get(receiver)
        self._waiting[receiver] = data if earlier is None else earlier + data
        self._bytes += len(data)
        if self._bytes > self._most_bytes:
            while self._waiting:
                self._handle_next()
        else:
            self._came.set()

    def handle_now(self, receiver: Receiver) -> None:
        """Handle what waits of one client, out of its turn."""
        if (data := self._waiting.pop(receiver, None)) is not None:
            self._bytes -= len(data)
            self._handle(receiver, data)

    async def run(self) -> None:
        """Handle what comes, until cancelled."""
        metrics.inbound_bytes.set_function(lambda: self._bytes)
        time_slice = TimeSlice()
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                self._handle_next()
                if time_slice.is_over():
                    await time_slice.give_way()

    async def handled(self) -> None:
        """Wait until everything that has come is handled, at most 10 ms.

        Acknowledgements go before bulk: they return the credit without which bulk would have to be read from the store.
        """
        until = time.monotonic() + BULK_WAITS_S
        while self._waiting and time.monotonic() < until:
            await asyncio.sleep(0)

    def _handle_at_once(self, receiver: Receiver, data: bytes) -> bool:
        """Handle `data` at once if there is time left for that; return whether there was."""
        now = time.monotonic()
        left_s = min(self._at_once_s, self._left_s + (now - self._left_at) * _AT_ONCE_SHARE)
        if left_s <= 0:
            return False
        self._handle(receiver, data)
        self._left_at = time.monotonic()
        self._left_s = left_s - (self._left_at - now)
        return True

    def _handle_next(self) -> None:
        receiver, data = self._waiting.popitem(last=False)
        self._bytes -= len(data)
        self._handle(receiver, data)

    def _handle(self, receiver: Receiver, data: bytes) -> None:
        try:
            receiver.handle(data)
        except Exception:
            log.exception("a frame of a client could not be handled: please report it")
            receiver.abort()
