"""Keeps the heartbeats, token expiry and close deadlines of all connections with one timing wheel and one task.

Pings are messages of the protocol, since a script in a browser cannot see a WebSocket's ping frames.
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
from clarion.telemetry import metrics
from services.gateway.access.timing_wheel import TimingWheel
from services.gateway.client.connection import Connection

HELD_UP_S: Final = 2.0  # a second that took so long: the process was paused, or had no CPU
CLOSE_WITHIN_S: Final = 10.0  # for a client to end its connection after the last frame


def _wheel() -> TimingWheel[Connection]:
    return TimingWheel()


@dataclass(slots=True)
class Heartbeats:
    """Pings clients, and ends connections that do not answer, whose token expires, or that do not finish closing.

    Its size is bounded by the connections: each is in the wheel at most once, for what is due first, and awaits at most
    one pong. Nearly all clients answer, so the connections that are pinged together wait for their pongs in one list,
    and not in the wheel. `caught_up` returns the time up to which the mailbox was read to its end.
    """

    caught_up: Callable[[], datetime | None]
    _wheel: TimingWheel[Connection] = field(default_factory=_wheel)
    _pinged: deque[tuple[float, list[Connection]]] = field(default_factory=deque[tuple[float, list[Connection]]])

    def watch(self, connection: Connection) -> None:
        """Begin to watch a connection that was greeted.

        Its first ping comes at a random time, so that pings after many clients have connected at once are spread out.
        """
        now = time.monotonic()
        connection.beat_at = now + random.uniform(limits.PING_S / 2, limits.PING_S)  # noqa: S311 - spreads load
        self._wait(connection, now)

    def renew(self, connection: Connection) -> None:
        """Note that a connection's token ends at another time than before."""
        self._wait(connection, time.monotonic())

    def closing(self, connection: Connection) -> None:
        """Give a connection CLOSE_WITHIN_S to end, since its last frame was sent or received."""
        self._wheel.put(connection, time.monotonic() + CLOSE_WITHIN_S)

    def forget(self, connection: Connection) -> None:
        """Stop watching a connection."""
        self._wheel.discard(connection)

    def run_due(self, now: float) -> None:
        """Do what is due at `now`, in monotonic seconds."""
        caught_up, today = self.caught_up(), time.time()
        pinged = self._judged(now, caught_up)
        for connection in self._wheel.take_due(now):
            if not connection.is_open:
                connection.transport.abort()
                continue
            if _expires_in(connection, today) <= 0:
                self._close(connection, Close.TOKEN, "the token has expired or was revoked")
                continue
            if connection.beat_at <= now:
                connection.beat_at = now + limits.PING_S
                if not connection.pong_due:  # else the earlier ping still waits for its pong
                    connection.pong_due = True
                    connection.transport.write(_ping(connection.feed.advance_since(caught_up)))
                    pinged.append(connection)
            self._wheel.put(connection, min(connection.beat_at, now + _expires_in(connection, today)))
        if pinged:
            self._pinged.append((now + limits.PONG_S, pinged))

    def _judged(self, now: float, caught_up: datetime | None) -> list[Connection]:
        """Close connections that missed the pong deadline; return those that are given one more period.

        Those answer by POST, at any gateway, and their answers may not have come here while Kafka is away.
        """
        spared: list[Connection] = []
        while self._pinged and self._pinged[0][0] <= now:
            for connection in self._pinged.popleft()[1]:
                if connection.pong_due:
                    connection.transport.handle_waiting()  # its answer may be there already
                if not connection.pong_due or not connection.is_open:
                    continue
                if connection.by_post and _is_deaf(caught_up):
                    spared.append(connection)
                else:
                    metrics.heartbeats_missed.inc()
                    self._close(
                        connection, Close.NO_PONG, f"the client did not answer a ping within {limits.PONG_S:g} s"
                    )
        return spared

    def _close(self, connection: Connection, code: Close, reason: str) -> None:
        """Close a connection, and cut it off in CLOSE_WITHIN_S unless it ends before."""
        connection.close(code, reason)
        # a transport that was closing before reports nothing, and may be unable to send what it holds: cut it off, too
        self.closing(connection)

    async def run(self) -> None:
        """Do what is due, each second, until cancelled.

        A process that was held up waits for a second more: its clients may have answered, and that is not read yet.
        """
        while True:
            began = time.monotonic()
            await asyncio.sleep(1)
            if time.monotonic() - began > HELD_UP_S:
                await asyncio.sleep(1)
            self.run_due(time.monotonic())

    def _wait(self, connection: Connection, now: float) -> None:
        """Put a connection into the wheel for what is due first: its next ping, or the end of its token."""
        self._wheel.put(connection, min(connection.beat_at, now + _expires_in(connection, time.time())))


def _is_deaf(caught_up: datetime | None) -> bool:
    """Return whether an answer posted to another gateway may not have come here, as while Kafka is away."""
    return caught_up is None or (times.now() - caught_up).total_seconds() > limits.PONG_S / 2


@lru_cache(16)
def _ping(since: datetime) -> bytes:
    """Return a `ping` frame. All live connections are told the same `since`, so it is encoded once."""
    return encode(Ping(times.rfc3339(since)))


def _expires_in(connection: Connection, today: float) -> float:
    """Return in how many seconds the connection's token expires; `today` is Unix time."""
    assert connection.claims is not None
    return connection.claims.expires - today
