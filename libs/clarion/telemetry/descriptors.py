"""File descriptors (`ulimit -n`): how many a process may give to connections, so that some are left for other uses.

When none is left, the system's accept fails: connections to the admin port are dropped, too, and the process cannot
connect to Kafka or MongoDB again. So the door refuses connections before that.
"""

import asyncio
import resource
import time
from collections.abc import Callable, Sized
from typing import Final

import structlog

from clarion.telemetry import metrics
from clarion.telemetry.open_files import open_files

log = structlog.get_logger()

_RESERVE: Final = 64  # for the admin port, Kafka, MongoDB, fetching an issuer's keys, reading files
_LOOK_EVERY_S: Final = 1.0
_TOLD_FOR_S: Final = 30.0  # how long health reports a refusal, so that it does not flicker


class Descriptors:
    """The descriptors of this process. `held` says how many are open, and `most` how many may be."""

    def __init__(
        self,
        held: Callable[[], int] | None = None,
        most: Callable[[], int] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections: Sized = ()  # those that came in by the door
        self._held: Final = held or open_files
        self._allowed: Final = most or _soft_limit
        self._now: Final = now
        self._refused_at = float("-inf")
        self._is_short = False
        self.look()

    def look(self) -> None:
        """Count all descriptors. Between two looks only connections are counted."""
        self._most = self._allowed()
        self._others = self._held() - len(self._connections)
        if self._is_short and not self.shortage():
            self._is_short = False
            log.info("file descriptors are free again, and connections are accepted", most=self._most)

    def has_room(self, connections: Sized) -> bool:
        """Return whether the connection that has just come may stay. It is among the door's `connections` already."""
        self._connections = connections
        reserve = min(_RESERVE, self._most // 4)
        if self._others + len(self._connections) <= self._most - reserve:
            return True
        metrics.connections_refused.inc()
        self._refused_at = self._now()
        if not self._is_short:
            self._is_short = True
            log.warning("connections are refused, since file descriptors are short", reason=self.shortage())
        return False

    def shortage(self) -> str:
        """Return, for the health report, what is short and what to do; empty while nobody was refused lately."""
        if self._now() - self._refused_at > _TOLD_FOR_S:
            return ""
        held = self._others + len(self._connections)
        return (
            f"the process is out of file descriptors: {held} of {self._most} are open, and the rest is kept for "
            "the admin port and servers; raise `ulimit -n`, or lower CLARION_CONNECTIONS"
        )

    async def watch(self) -> None:
        """Count all descriptors each second until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.look()


def _soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
