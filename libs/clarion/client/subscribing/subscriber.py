"""`Subscriber`: one user's notifications, live and replayed, each handed out once, over many connections."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Final, Self

from clarion.client.errors import NotConnected, NotOpen
from clarion.client.inbox import Inbox
from clarion.client.life import Life
from clarion.client.subscribing.connection_loop import ConnectionLoop
from clarion.client.subscribing.cursor_store import CursorStore, InMemory
from clarion.client.subscribing.marks import Mark
from clarion.client.subscribing.progress import Progress
from clarion.client.subscribing.saved_position import SavedPosition
from clarion.client.subscribing.state import State
from clarion.client.subscribing.unread_count import UnreadCount
from clarion.client.tokens import GetToken, TokenSource
from clarion.contracts import limits
from clarion.contracts.api.frames import (
    Archive,
    Read,
    Received,
    Resync,
    ServerSync,
)
from clarion.contracts.api.frames import Unread as MarkUnread
from clarion.contracts.api.inbox import InboxPage
from clarion.resilience.backoff import Backoff

log = logging.getLogger(__name__)

COMMAND_S: Final = 10.0


class Subscriber(ConnectionLoop):
    """Use it as `async with Subscriber(url, token=…) as s: async for n in s: …`.

    An item is handled when the next one is asked for (or `handled` is called): only then is it acknowledged, so that
    what a crash interrupts arrives again. Use one task for iterating. What the server sends is bounded by its credit,
    which handled items give back. What `get_token`, the storage or a callback raises ends the iteration and comes out
    of it.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        token: str | None = None,
        get_token: GetToken | None = None,
        storage: CursorStore | None = None,
        on_state: Callable[[State], None] | None = None,
        on_sync: Callable[[ServerSync | Resync], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._inbox = Inbox(url, tokens=(tokens := TokenSource(token, get_token)))
        urls = [url] if isinstance(url, str) else url
        super().__init__(urls, tokens, UnreadCount(self._inbox.unread_count), backoff, on_state, on_sync)
        self._saved = SavedPosition(storage or InMemory())
        self._life = Life("subscriber")
        self._running: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    @property
    def unread_count(self) -> int | None:
        """As the server told it last; None before it has."""
        return self._unread.value

    # ---- life

    async def __aenter__(self) -> Self:
        """Raises `NotOpen` when it was used before."""
        if self._running is not None:
            raise NotOpen("this subscriber was used already: make another one")
        self._life.begin()
        self._progress = Progress(await self._saved.load())
        self._running = asyncio.create_task(self._run(), name="clarion subscriber")
        self._running.add_done_callback(self._ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whoever is cancelled here waits for less, and leaves nothing undone: what is not saved would come again."""
        self._life.end()
        try:
            await self._acknowledge()
            await self._outbox.close()
        finally:
            try:
                await self._end_tasks()
            finally:
                try:
                    await self._inbox.close()
                finally:
                    await self._saved.save(self._progress.position)

    async def _end_tasks(self) -> None:
        tasks = [task for task in (self._running, self._unread.asking, self._outbox.sending) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._failure = None if running.cancelled() else running.exception()
        self._arrived.set()
        self._enter(State.CLOSED)

    # ---- items

    def __aiter__(self) -> AsyncIterator[Received]:
        return self

    async def __anext__(self) -> Received:
        """The next notification. Raises a `SubscribeError` when the server does not allow to return."""
        if self._running is None:
            raise NotOpen("this subscriber is not open yet: use `async with Subscriber(…)`")
        self._life.check_loop()
        while True:
            self._arrived.clear()
            self._progress.handled()
            await self._acknowledge()
            await self._saved.save_now_and_then(self._progress.position)
            # no await from here to the return: a cancelled call must not have taken an item
            if item := self._progress.take():
                self.stats.received += 1
                return item
            if self._running.done():
                raise self._failure or StopAsyncIteration
            await self._arrived.wait()

    async def handled(self) -> None:
        """Count the last item as handled now, without asking for the next."""
        self._progress.handled()
        await self._acknowledge()

    # ---- commands

    async def read(self, ids: Sequence[str]) -> None:
        """Mark as read, on every device. Raises `NotConnected`, or `Unconfirmed` when too many marks wait.

        Once this returns, the mark is sent, and sent again over new connections until the server confirms it by `sync`;
        whoever leaves the subscriber before that, or needs the server's verdict, asks `Inbox`.
        """
        await self._mark(Read, ids)

    async def unread(self, ids: Sequence[str]) -> None:
        await self._mark(MarkUnread, ids)

    async def archive(self, ids: Sequence[str]) -> None:
        await self._mark(Archive, ids)

    # ---- the inbox, over HTTP: see `Inbox` for what its calls raise

    async def inbox(
        self, cursor: str | None = None, *, limit: int = limits.INBOX_PAGE, unread: bool = False, archived: bool = False
    ) -> InboxPage:
        """A page of what is kept for the user, as `Inbox.page` says: to show history, and whenever `Resync` comes."""
        return await self._inbox.page(cursor, limit=limit, unread=unread, archived=archived)

    async def unarchive(self, ids: Sequence[str]) -> int:
        """Take back from the archive, as read; returns the new count."""
        return await self._inbox.unarchive(ids)

    async def read_all(self) -> int:
        """Mark everything as read, however much; returns the new count."""
        return await self._inbox.read_all()

    async def _mark(self, kind: type[Mark], ids: Sequence[str]) -> None:
        self._life.check()
        for start in range(0, len(ids), limits.IDS_PER_FRAME):
            try:
                async with asyncio.timeout(COMMAND_S):
                    await self._live.wait()
            except TimeoutError as error:
                raise NotConnected(f"no connection within {COMMAND_S:g} s") from error
            await self._outbox.put(kind, ids[start : start + limits.IDS_PER_FRAME])
