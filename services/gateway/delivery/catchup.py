"""Feeds connections from the store: after connecting, and whenever credit returns.

Only a few connections are read for at the same time.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from clarion.contracts import times
from clarion.contracts.api.frames import Resync
from clarion.contracts.lanes import LANES, Lane
from clarion.resilience.backoff import RETRY
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.driver.database import LoopCollection
from clarion.telemetry import metrics
from services.gateway.client.connection import Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.credit import OutgoingItem
from services.gateway.client.feed import CatchUpRead, Found
from services.gateway.delivery.prefetch import Prefetch
from services.gateway.delivery.read_scheduler import ReadScheduler

log = structlog.get_logger()


@dataclass(slots=True)
class CatchUp:
    """Keeps the connections that are behind; each is at most once in one of the two queues, or being worked on.

    `feed` runs as one task and sends what was read ahead. `read` runs as several tasks, each a reader of the store.
    `waiting` is the collection to read from; `caught_up` returns the time up to which the mailbox was read to its end.
    """

    waiting: LoopCollection
    caught_up: Callable[[], datetime | None]
    reads: ReadScheduler
    ahead: Prefetch = field(default_factory=Prefetch)
    _queued: set[Connection] = field(default_factory=set[Connection])
    _to_feed: deque[Connection] = field(default_factory=deque[Connection])
    _feeds: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    _readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    _urgent: asyncio.Event = field(default_factory=asyncio.Event)  # set when a connection is behind in the urgent lane

    def want(self, connection: Connection) -> None:
        """Queue a connection that is behind, if it may be read for and is not queued yet."""
        if connection.state is _PRESENT and connection not in self._queued:
            self._queued.add(connection)
            self._to_feed.append(connection)
            self._feeds.release()

    def __len__(self) -> int:
        return len(self._queued)

    async def feed(self) -> None:
        """Send what was read ahead until cancelled, and pass on connections for which something has to be read.

        It handles one connection in each turn of the event loop, so that live items go out in between.
        """
        while True:
            await self._feeds.acquire()
            connection = self._to_feed.popleft()
            if issued := self._feed(connection):
                self.reads.put(connection, is_urgent=issued.lane is Lane.URGENT)
                self._readers.release()
                if issued.lane is Lane.URGENT:
                    self._urgent.set()
            else:
                self._queued.discard(connection)
                if connection.feed.ahead is None:
                    self.ahead.release(connection)
            await asyncio.sleep(0)

    async def read(self) -> None:
        """Read the store for one connection after another until cancelled.

        While MongoDB is away, the read is tried again with growing waits.
        """
        failures = 0
        while True:
            await self._readers.acquire()
            connection = self.reads.take()
            try:
                items = await self._read_for(connection)
                failures = 0
            except database.TRANSIENT as error:
                log.warning("a catch-up read failed and is tried again", error=repr(error))
                await asyncio.sleep(RETRY.delay(failures))
                failures += 1
                self.want(connection)
            else:
                await self._rest(self.reads.rest_s(items, time.monotonic()))

    async def _rest(self, seconds: float) -> None:
        """Wait for `seconds`, to leave room for live items.

        The wait ends early for a connection that is behind in the urgent lane.
        """
        if not seconds:
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.reads.has_urgent():
                    self._urgent.clear()
                    await self._urgent.wait()

    async def _read_for(self, connection: Connection) -> int:
        """Read and send, urgent first, until every lane is live or credit is used up.

        Returns how many items were read. Raises one of `database.TRANSIENT`.
        """
        feed, items = connection.feed, 0
        try:
            while connection.state is _PRESENT:
                most = self.reads.most(time.monotonic()) if self.ahead.claim(connection) else 0
                issued = feed.next_read(most)
                if issued is None:
                    break
                found = await self._read(connection, issued)
                items += len(found.items)
                self._send(connection, partial(feed.found, *found))
        finally:
            # From here on an acknowledgement queues the connection again. None was missed, since nothing was awaited
            # after `next_read` had returned None.
            self._queued.discard(connection)
            self.ahead.settle(connection, time.monotonic())
        return items

    def _feed(self, connection: Connection) -> CatchUpRead | None:
        """Send what was read ahead, and return the read that has to be issued then, or None."""
        while self._send(connection, connection.feed.more):
            pass
        return connection.feed.next_read() if connection.state is _PRESENT else None

    def _send(self, connection: Connection, take: Callable[[], Sequence[OutgoingItem] | None]) -> bool:
        """Send the items that `take` returns; return whether there were any."""
        feed = connection.feed
        was_short = feed.delivered_since() is None
        send = take()
        if send:
            connection.send_items(send, self.caught_up())
            _PUSHED[send[0].lane].n += len(send)
            feed.replayed += len(send)
        if feed.is_live and feed.replayed:
            metrics.replay_items.observe(feed.replayed)
            feed.replayed = 0
        # The client reads its inbox when the limit of delivered items is reached, since more of them are left out from
        # here on, and again when it is live, for those that were left out until then.
        if feed.is_live if was_short else feed.delivered_since() is None:
            connection.send(Resync())
        return bool(send)

    async def _read(self, connection: Connection, issued: CatchUpRead) -> Found:
        """Return what the store has for a read. Raises one of `database.TRANSIENT`."""
        since = connection.feed.delivered_since()
        found = await notifications.catch_up(
            self.waiting,
            connection.user,
            issued.lane,
            after=issued.after,
            delivered_since=since,
            limit=issued.limit,
            now=times.now(),
        )
        offered = [OutgoingItem(item.id, issued.lane, item.ord, item.body) for item in found]
        return Found(issued, offered, [item.ord for item in found if not item.pending])


_PRESENT: Final = ConnectionState.PRESENT
_PUSHED: Final = {lane: metrics.pushed.of(lane, "replay") for lane in LANES}
