"""What is read ahead of credit: for whom, since when and how much, so that all of it stays bounded. Pure.

A connection that handles at once what it gets is fed from one read many times. One that does not keeps nothing here for
longer than a moment: when its credit returns, the store is read again.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from clarion.contracts.limits import KIB
from clarion.telemetry import metrics
from services.gateway.client.connection import Connection
from services.gateway.client.feed import AHEAD_BYTES

KEPT_S: Final = 1.0  # and up to the next look, each second: so long may what was retracted or has expired still be sent
MOST_BYTES: Final = 16 * KIB * KIB


@dataclass(slots=True)
class Prefetch:
    bytes: int = 0
    _held: dict[Connection, tuple[float, int]] = field(default_factory=dict[Connection, tuple[float, int]])

    def __post_init__(self) -> None:
        metrics.ahead_bytes.set_function(lambda: self.bytes)

    def claim(self, connection: Connection) -> bool:
        """Whether there is room for what one read may leave; it is taken then, until `settle`."""
        self.release(connection)
        if self.bytes + AHEAD_BYTES > MOST_BYTES:
            return False
        self._hold(connection, math.inf, AHEAD_BYTES)
        return True

    def settle(self, connection: Connection, now: float) -> None:
        """It has been read for, and fed: what is left is held, unless there was no room for it."""
        is_claimed = connection in self._held
        self.release(connection)
        if not is_claimed:
            connection.feed.ahead = None
        elif connection.feed.ahead is not None:
            self._hold(connection, now, sum(len(item.body) for item in connection.feed.ahead.items))

    def release(self, connection: Connection) -> None:
        self.bytes -= self._held.pop(connection, (0.0, 0))[1]

    def let_go(self, now: float) -> None:
        """Of what is held for long enough."""
        for connection in [connection for connection, (since, _) in self._held.items() if since < now - KEPT_S]:
            connection.feed.ahead = None
            self.release(connection)

    def _hold(self, connection: Connection, since: float, size: int) -> None:
        self._held[connection] = (since, size)
        self.bytes += size
