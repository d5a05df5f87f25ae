"""Heartbeats, token expiry and close deadlines of all connections: one wheel and one task, no timer a connection.

Pings are messages, since a browser's script cannot see ping frames.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from clarion.contracts import limits, times
from clarion.contracts.api.close_codes import Close
from clarion.contracts.api.frames import Ping, encode
from services.gateway.access.timing_wheel import TimingWheel
from services.gateway.client.connection import Connection

CLOSE_WITHIN_S: Final = 10.0


def _wheel() -> TimingWheel[Connection]:
    return TimingWheel()


@dataclass(slots=True)
class Heartbeats:
    """Bounded by the connections: each is in the wheel at most once, for whatever is due first, and may be pinged once.

    Nearly all answer a ping: who was pinged in a turn waits in one list, and is no business of the wheel.
    """

    caught_up: Callable[[], datetime | None]
    _wheel: TimingWheel[Connection] = field(default_factory=_wheel)
    _pinged: deque[tuple[float, list[Connection]]] = field(default_factory=deque[tuple[float, list[Connection]]])

    def watch(self, connection: Connection) -> None:
        """From its greeting on. The first ping comes at a random time, so that a storm of connects has no echo."""
        now = time.monotonic()
        connection.beat_at = now + random.uniform(limits.PING_S / 2, limits.PING_S)  # noqa: S311 - spreads load
        self._wait(connection, now)

    def renew(self, connection: Connection) -> None:
        """Its token is a new one, or good for less long than it was."""
        self._wait(connection, time.monotonic())

    def closing(self, connection: Connection) -> None:
        """A close frame went out: the other side has a while to answer it."""
        self._wheel.put(connection, time.monotonic() + CLOSE_WITHIN_S)

    def forget(self, connection: Connection) -> None:
        self._wheel.discard(connection)

    def turn(self, now: float) -> None:
        caught_up, today = self.caught_up(), time.time()
        pinged = self._judged(now, caught_up)
        for connection in self._wheel.turn(now):
            if not connection.is_open:
                connection.transport.abort()
                continue
            if _expires_in(connection, today) <= 0:
                self._close(connection, Close.TOKEN, "token expired or revoked")
                continue
            if connection.beat_at <= now:
                connection.beat_at = now + limits.PING_S
                if not connection.pong_due:  # else it is asked already
                    connection.pong_due = True
                    connection.transport.write(_ping(connection.feed.advance_since(caught_up)))
                    pinged.append(connection)
            self._wheel.put(connection, min(connection.beat_at, now + _expires_in(connection, today)))
        if pinged:
            self._pinged.append((now + limits.PONG_S, pinged))

    def _judged(self, now: float, caught_up: datetime | None) -> list[Connection]:
        """Close whoever has not answered in time; who has as long again, since its answer may be on its way."""
        spared: list[Connection] = []
        while self._pinged and self._pinged[0][0] <= now:
            for connection in self._pinged.popleft()[1]:
                if not connection.pong_due or not connection.is_open:
                    continue
                if connection.by_post and _is_deaf(caught_up):
                    spared.append(connection)
                else:
                    self._close(connection, Close.NO_PONG, f"no answer to a ping within {limits.PONG_S:g} s")
        return spared

    def _close(self, connection: Connection, code: Close, reason: str) -> None:
        connection.close(code, reason)
        self.closing(connection)  # also when its socket was closing before, and cannot get rid of what it holds

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.turn(time.monotonic())

    def _wait(self, connection: Connection, now: float) -> None:
        self._wheel.put(connection, min(connection.beat_at, now + _expires_in(connection, time.time())))


def _is_deaf(caught_up: datetime | None) -> bool:
    """Whether an answer that was posted to another gateway may not have come here, as without Kafka."""
    return caught_up is None or (times.now() - caught_up).total_seconds() > limits.PONG_S / 2


@lru_cache(16)
def _ping(since: datetime) -> bytes:
    """The same for all who are live."""
    return encode(Ping(times.rfc3339(since)))


def _expires_in(connection: Connection, today: float) -> float:
    assert connection.claims is not None
    return connection.claims.expires - today
