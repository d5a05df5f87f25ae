"""Feeds connections from the store: after connecting, and whenever credit returns. A few at once."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from clarion.contracts import times
from clarion.contracts.frames import Resync
from clarion.resilience.backoff import RETRY
from clarion.store import database, notifications
from clarion.store.database import Collection
from clarion.telemetry import metrics
from services.gateway.connection import Connection
from services.gateway.feed import Offered, Read

log = structlog.get_logger()


@dataclass(slots=True)
class CatchUp:
    """A queue of connections that are behind, each at most once in it; each `run` is one worker."""

    stored: Collection
    caught_up: Callable[[], datetime | None]
    _queue: deque[Connection] = field(default_factory=deque[Connection])
    _queued: set[Connection] = field(default_factory=set[Connection])
    _work: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def want(self, connection: Connection) -> None:
        if connection.joined and connection.present and connection not in self._queued:
            self._queued.add(connection)
            self._queue.append(connection)
            self._work.release()

    def __len__(self) -> int:
        return len(self._queue)

    async def run(self) -> None:
        failures = 0
        while True:
            await self._work.acquire()
            connection = self._queue.popleft()
            try:
                await self._feed(connection)
                failures = 0
            except database.TRANSIENT as error:
                log.warning("catching up waits for MongoDB", error=repr(error))
                await asyncio.sleep(RETRY.delay(failures))
                failures += 1
                self._queued.discard(connection)
                self.want(connection)

    async def _feed(self, connection: Connection) -> None:
        """Read and send, urgent first, until every lane is live or credit is used up."""
        feed = connection.feed
        try:
            while connection.joined and (issued := feed.next_read()):
                was_short = feed.delivered_since() is None
                found, delivered = await self._read(connection, issued)
                send = feed.read(issued, found, delivered)
                connection.send_items(send, self.caught_up())
                for item in send:
                    metrics.pushed.of(item.lane, "replay").n += 1
                # what is left out from here on is in the inbox; and so is what came until it is live again
                if (delivered and feed.delivered_since() is None) or (was_short and feed.is_live()):
                    connection.send(Resync())
                if found and not send:
                    return  # what comes next is too large for the credit left: an acknowledgement calls again
        finally:
            # from here on an acknowledgement queues it again; nothing was awaited since the last read
            self._queued.discard(connection)

    async def _read(self, connection: Connection, issued: Read) -> tuple[list[Offered], int]:
        since = connection.feed.delivered_since()
        found = await notifications.catch_up(
            self.stored,
            connection.user,
            issued.lane,
            after=issued.after,
            delivered_since=since,
            limit=issued.limit,
            now=times.now(),
        )
        offered = [Offered(item.id, item.lane, item.ord, item.body) for item in found]
        return offered, sum(not item.pending for item in found)
