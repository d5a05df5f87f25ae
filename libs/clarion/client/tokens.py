"""Where a client's token comes from: a string, or a function (async or not) that fetches a fresh one."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Final

GetToken = Callable[[], str | Awaitable[str]]


class TokenSource:
    """Keeps a token until it is refused. Raises ValueError unless exactly one source is given."""

    def __init__(self, token: str | None, get_token: GetToken | None) -> None:
        if (token is None) == (get_token is None):
            raise ValueError("give either token or get_token")
        self._token = token
        self._get_token = get_token
        self._fetching = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # that the lock is of
        self.refreshable: Final = get_token is not None

    async def current(self) -> str:
        """The token to show now. Whoever finds none waits for one and the same fetch."""
        if self._token is not None:
            return self._token
        if self._loop is not (running := asyncio.get_running_loop()):
            self._loop, self._fetching = running, asyncio.Lock()  # what shows it was opened anew in another loop
        async with self._fetching:
            if self._token is None:
                self._token = await self._fetched()
            return self._token

    async def _fetched(self) -> str:
        assert self._get_token is not None
        found = self._get_token()
        return await found if inspect.isawaitable(found) else found

    def is_latest(self, token: str) -> bool:
        """Whether no other one was fetched since."""
        return self._token in (token, None)

    def refused(self, token: str) -> None:
        """The next `current` fetches another one, if this source can.

        Only if it is the one shown now: a late answer to an earlier one says nothing about what was fetched since.
        """
        if self.refreshable and token == self._token:
            self._token = None
