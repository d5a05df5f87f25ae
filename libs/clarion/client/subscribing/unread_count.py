"""A user's unread count, as the server tells it in frames, or when it is asked because a frame could not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from clarion.client.errors import ClientError

log = logging.getLogger(__name__)


class UnreadCount:
    """`value` is None until the server has told one. `ask` asks for it over HTTP."""

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self.value: int | None = None
        self.asking: asyncio.Task[None] | None = None
        self._ask = ask
        self._times_told = 0

    def told(self, unread: int | None) -> None:
        self._times_told += 1
        if unread is not None:  # else the store did not answer: `Resync` comes when it does
            self.value = unread

    def ask_anew(self) -> None:
        """A count was not told, or was told too early."""
        if self.asking is not None:
            self.asking.cancel()  # it may have been answered before what was not told
        self.asking = asyncio.create_task(self._count(), name="clarion unread count")

    async def _count(self) -> None:
        """What a frame tells while the answer is on its way is at least as good, since each change is told after it."""
        before = self._times_told
        try:
            count = await self._ask()
        except ClientError as error:
            log.warning("the unread count is not known anew: %s", error)
            return
        if before == self._times_told:
            self.value = count
