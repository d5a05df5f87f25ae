"""A user's unread count, as the server tells it in frames, or over HTTP when a frame could not tell it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from clarion.client.errors import ClientError

log = logging.getLogger(__name__)


class UnreadCount:
    """The server's latest count as `value`, None before the first one. `ask` gets the count over HTTP."""

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self.value: int | None = None
        self.asking: asyncio.Task[None] | None = None
        self._ask = ask
        self._times_told = 0

    def told(self, unread: int | None) -> None:
        """Take the count of a frame. None, from a server whose store did not answer, leaves the value."""
        self._times_told += 1
        if unread is not None:  # else the store did not answer: `Resync` comes when it does
            self.value = unread

    def ask_anew(self) -> None:
        """Ask for the count over HTTP, because a frame did not tell it, or told it too early."""
        if self.asking is not None:
            self.asking.cancel()  # its answer may be from before the change that was not told
        self.asking = asyncio.create_task(self._count(), name="clarion unread count")

    async def _count(self) -> None:
        """Ask for the count, and keep it unless a frame has told one meanwhile.

        That one is at least as good, because the server tells a count after each change.
        """
        before = self._times_told
        try:
            count = await self._ask()
        except ClientError as error:
            log.warning("the unread count could not be refreshed: %s", error)
            return
        if before == self._times_told:
            self.value = count
