"""How much one process holds at a time. Beyond it a request is refused at once: waiting would only grow."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from clarion.contracts.limits import KIB
from clarion.telemetry import metrics

MAX_BYTES: Final = 64 * 1024 * KIB
MAX_REQUESTS: Final = 1_000


class Full(Exception):
    """No room for more right now."""


class Budget:
    """Requests being answered, and the bytes of bodies and of records Kafka has not acknowledged yet."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_requests: int = MAX_REQUESTS) -> None:
        self._max_bytes = max_bytes
        self._max_requests = max_requests
        self.held = 0
        self.requests = 0

    @contextmanager
    def request(self) -> Generator[None]:
        """Room for one request. Raises `Full`."""
        if self.requests >= self._max_requests:
            raise Full
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    def hold(self, size: int) -> None:
        """Raises `Full`, and then holds nothing."""
        if self.held + size > self._max_bytes:
            raise Full
        self._set(self.held + size)

    def release(self, size: int) -> None:
        self._set(self.held - size)

    def _set(self, held: int) -> None:
        self.held = held
        metrics.held_bytes.set(held)
