"""Bounds what is read ahead of credit: for which connections, since when, and how many bytes. Pure.

A connection that handles its items at once is fed many times from one read. For one that does not, nothing is kept here
for longer than a moment: when its credit returns, the store is read again.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from clarion.contracts.limits import KIB
from clarion.telemetry import metrics
from services.gateway.client.connection import Connection
from services.gateway.client.feed import AHEAD_BYTES

# What was retracted or has expired may still be sent for so long, and for up to another second until the next look.
KEPT_S: Final = 1.0
MOST_BYTES: Final = 16 * KIB * KIB  # for all connections together


@dataclass(slots=True)
class Prefetch:
    """Counts what is kept ahead for each connection; `bytes` is the sum."""

    bytes: int = 0
    _held: dict[Connection, tuple[float, int]] = field(default_factory=dict[Connection, tuple[float, int]])

    def __post_init__(self) -> None:
        metrics.ahead_bytes.set_function(lambda: self.bytes)

    def claim(self, connection: Connection) -> bool:
        """Reserve room for what one read may leave, until `settle`; return whether there was room."""
        self.release(connection)
        if self.bytes + AHEAD_BYTES > MOST_BYTES:
            return False
        self._hold(connection, math.inf, AHEAD_BYTES)
        return True

    def settle(self, connection: Connection, now: float) -> None:
        """Count what is left after a connection was read for and fed.

        What is left is dropped unless `claim` had room for it.
        """
        is_claimed = connection in self._held
        self.release(connection)
        if not is_claimed:
            connection.feed.ahead = None
        elif connection.feed.ahead is not None:
            self._hold(connection, now, sum(len(item.body) for item in connection.feed.ahead.items))

    def release(self, connection: Connection) -> None:
        """Stop counting what is kept for a connection, or reserved for it."""
        self.bytes -= self._held.pop(connection, (0.0, 0))[1]

    def let_go(self, now: float) -> None:
        """Drop what has been kept for longer than KEPT_S."""
        for connection in [connection for connection, (since, _) in self._held.items() if since < now - KEPT_S]:
            connection.feed.ahead = None
            self.release(connection)

    def _hold(self, connection: Connection, since: float, size: int) -> None:
        self._held[connection] = (since, size)
        self.bytes += size
