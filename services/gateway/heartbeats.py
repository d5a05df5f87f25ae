"""Heartbeats, token expiry and close deadlines of all connections: three wheels and one task, no timer a connection.

Pings are messages, since a browser's script cannot see ping frames.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from clarion.contracts import limits, times
from clarion.contracts.close_codes import Close
from clarion.contracts.frames import Ping
from services.gateway.connection import Connection
from services.gateway.wheel import Wheel

CLOSE_WITHIN_S: Final = 10.0


def _wheel() -> Wheel[Connection]:
    return Wheel()


@dataclass(slots=True)
class Heartbeats:
    """Bounded by the connections: each is at most once in each wheel."""

    caught_up: Callable[[], datetime | None]
    _pings: Wheel[Connection] = field(default_factory=_wheel)
    _expiries: Wheel[Connection] = field(default_factory=_wheel)
    _closings: Wheel[Connection] = field(default_factory=_wheel)

    def watch(self, connection: Connection) -> None:
        """From its greeting on. The first ping comes at a random time, so that a storm of connects has no echo."""
        first = random.uniform(limits.PING_S / 2, limits.PING_S)  # noqa: S311 - spreads load
        self._pings.put(connection, time.monotonic() + first)
        self.renew(connection)

    def renew(self, connection: Connection) -> None:
        """Its token is a new one, or good for less long than it was."""
        assert connection.claims is not None
        self._expiries.put(connection, time.monotonic() + connection.claims.expires - time.time())

    def closing(self, connection: Connection) -> None:
        """A close frame went out: the other side has a while to answer it."""
        self._pings.discard(connection)
        self._expiries.discard(connection)
        self._closings.put(connection, time.monotonic() + CLOSE_WITHIN_S)

    def forget(self, connection: Connection) -> None:
        for wheel in (self._pings, self._expiries, self._closings):
            wheel.discard(connection)

    def turn(self, now: float) -> None:
        for connection in self._pings.turn(now):
            self._ping(connection, now)
        for connection in self._expiries.turn(now):
            connection.close(Close.TOKEN, "token expired or revoked")
        for connection in self._closings.turn(now):
            connection.wire.abort()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.turn(time.monotonic())

    def _ping(self, connection: Connection, now: float) -> None:
        if not connection.pinged:
            connection.pinged = connection.pong_due = True
            since = connection.feed.advance_since(self.caught_up())
            connection.send(Ping(times.rfc3339(since)))
            self._pings.put(connection, now + limits.PONG_S)
        elif connection.pong_due:
            connection.close(Close.NO_PONG, f"no answer to a ping within {limits.PONG_S:g} s")
        else:
            connection.pinged = False
            self._pings.put(connection, now + limits.PING_S - limits.PONG_S)
