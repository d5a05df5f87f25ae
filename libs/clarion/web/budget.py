"""How much one process may hold at a time. Beyond it requests are refused at once, or their waiting would only grow."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from clarion.contracts.limits import KIB
from clarion.telemetry import metrics

MAX_BYTES: Final = 64 * 1024 * KIB
MAX_REQUESTS: Final = 1_000


class Full(Exception):
    """There is no room for more now."""


class Budget:
    """Counts requests under way, and bytes: of bodies, and of records that Kafka has not acknowledged yet."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_requests: int = MAX_REQUESTS) -> None:
        self._max_bytes = max_bytes
        self._max_requests = max_requests
        self.held = 0
        self.requests = 0

    @contextmanager
    def request(self) -> Generator[None]:
        """Take room for one request while the block runs. Raise `Full`."""
        if self.requests >= self._max_requests:
            raise Full
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    def hold(self, size: int) -> None:
        """Take room for bytes. Raise `Full` and take nothing when there is not enough."""
        if self.held + size > self._max_bytes:
            raise Full
        self._set(self.held + size)

    def release(self, size: int) -> None:
        """Give back the room of bytes that `hold` took."""
        self._set(self.held - size)

    def _set(self, held: int) -> None:
        self.held = held
        metrics.held_bytes.set(held)
