"""`Subscriber`: one user's notifications, live and replayed, each handed out once over many connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from clarion.client.errors import NotConnected, NotOpen
from clarion.client.inbox import Inbox
from clarion.client.life import Life
from clarion.client.network import tls
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

COMMAND_S: Final = 10.0


class Subscriber(ConnectionLoop):
    """Receives one user's notifications: those that wait, then live ones. The user is the subject of the token.

        async with Subscriber("http://localhost:8081", get_token=fetch, storage=JsonFile("ann.json")) as notifications:
            async for notification in notifications:  # asking for the next one acknowledges this one
                print(notification.lane, notification.message)

    A notification counts as handled, and is acknowledged, when the next one is asked for, or when `handled` is called.
    So what a crash interrupts arrives again. Iterate in one task only. A slow application gets no more than it can
    take: the server waits once 64 notifications, or 256 KiB of them, are not handled (urgent ones may be 64 more while
    they cannot be stored).

    The subscriber connects again by itself. The iteration raises `TokenRefused`, `Forbidden` or `Disconnected` when the
    server does not allow that, and whatever `get_token`, the storage or a callback raises. A subscriber is used once:
    opening it again raises `NotOpen`.
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
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Take the addresses of one or several gateways as `url`, and either `token` or `get_token`.

        `get_token` is a function (async or not) that returns a token; it is called again when the server refuses one.
        `storage` keeps the position for the next process (`JsonFile`); without one, each process gets what is pending.
        `on_state` is called with each change of state. `on_sync` is called with each `ServerSync`, by which the
        user's devices stay alike, and each `Resync`, after which the application reads the inbox again. Callbacks must
        not block. `backoff` takes the place of the usual waits between two connections, 0.5 to 30 seconds.
        `ssl_context` takes the place of the host's certificate settings.

        Raise ValueError for a `url` that is no gateway's, and unless exactly one of `token` and `get_token` is given.
        """
        self._inbox = Inbox(url, tokens=(tokens := TokenSource(token, get_token)), ssl_context=ssl_context)
        urls = [url] if isinstance(url, str) else url
        unread = UnreadCount(self._inbox.unread_count)
        super().__init__(urls, tokens, tls(ssl_context), unread, backoff, on_state, on_sync)
        self._saved = SavedPosition(storage or InMemory())
        self._life = Life("subscriber")
        self._running: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    @property
    def unread_count(self) -> int | None:
        """Return how many notifications are unread, as the server told it last: 100 at most, None before the first."""
        return self._unread.value

    # ---- life

    async def __aenter__(self) -> Self:
        """Load the position and start connecting. Raise `NotOpen` when the subscriber was used before."""
        if self._running is not None:
            raise NotOpen("this subscriber was used already: open another one")
        self._life.begin()
        self._progress = Progress(await self._saved.load())
        self._running = asyncio.create_task(self._run(), name="clarion subscriber")
        self._running.add_done_callback(self._ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what is acknowledged and marked, end the connection, and save the position.

        A task that is cancelled here waits for less, and the position is saved all the same: what is not saved would
        come again.
        """
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
        """Acknowledge the notification before, and return the next one, waiting for it without a limit.

        Raise a `SubscribeError` when the server does not allow another connection, or `NotOpen`.
        """
        if self._running is None:
            raise NotOpen("this subscriber is not open yet: use `async with Subscriber(…)`")
        self._life.check_loop()
        while True:
            self._arrived.clear()
            self._progress.handled()
            await self._acknowledge()
            save_in_s = await self._saved.save_now_and_then(self._progress.position)
            # no await from here to the return: a cancelled call must not have taken an item
            if item := self._progress.take():
                self.stats.received += 1
                return item
            if self._running.done():
                raise self._failure or StopAsyncIteration
            with suppress(TimeoutError):
                async with asyncio.timeout(save_in_s):
                    await self._arrived.wait()

    async def handled(self) -> None:
        """Acknowledge the last notification now, without asking for the next one.

        Call it before the iteration ends with `break`, or the last notification arrives again.
        """
        self._progress.handled()
        await self._acknowledge()
        await self._saved.save_now_and_then(self._progress.position)

    # ---- commands

    async def read(self, ids: Sequence[str]) -> None:
        """Mark notifications as read on all devices.

        Raise `NotConnected` without a connection within 10 seconds, `Unconfirmed` when 1,000 marks wait already, or
        `NotOpen`.

        After the return the mark is sent, and sent again over new connections, until the server confirms it or the
        subscriber ends. Use `Inbox` when you end the subscriber before that, or need the server's answer.
        """
        await self._mark(Read, ids)

    async def unread(self, ids: Sequence[str]) -> None:
        """Mark notifications as unread on all devices. Raise what `read` raises."""
        await self._mark(MarkUnread, ids)

    async def archive(self, ids: Sequence[str]) -> None:
        """Move notifications from the inbox to the archive, where they count as read. Raise what `read` raises."""
        await self._mark(Archive, ids)

    # ---- the inbox, over HTTP: see `Inbox` for what its calls raise

    async def inbox(
        self, cursor: str | None = None, *, limit: int = limits.INBOX_PAGE, unread: bool = False, archived: bool = False
    ) -> InboxPage:
        """Return a page of what is kept for the user, as `Inbox.page` does.

        Read it to show what came earlier, and whenever `on_sync` is called with a `Resync`.
        """
        return await self._inbox.page(cursor, limit=limit, unread=unread, archived=archived)

    async def unarchive(self, ids: Sequence[str]) -> int:
        """Move notifications from the archive back to the inbox, as read; return the new unread count."""
        return await self._inbox.unarchive(ids)

    async def read_all(self) -> int:
        """Mark everything as read, in as many requests as that takes; return the new unread count."""
        return await self._inbox.read_all()

    async def _mark(self, kind: type[Mark], ids: Sequence[str]) -> None:
        self._life.check()
        for start in range(0, len(ids), limits.IDS_PER_FRAME):
            try:
                async with asyncio.timeout(COMMAND_S):
                    await self._live.wait()
            except TimeoutError as error:
                raise NotConnected(
                    f"there was no connection within {COMMAND_S:g} s: try again later, or use Inbox"
                ) from error
            await self._outbox.put(kind, ids[start : start + limits.IDS_PER_FRAME])
