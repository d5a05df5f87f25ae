"""Where a client's token comes from: a string, or a function (async or not) that fetches a new one."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Final

GetToken = Callable[[], str | Awaitable[str]]


class TokenSource:
    """Keeps a token until a server refuses it, then fetches another one if there is `get_token`.

    Raises ValueError unless exactly one of `token` and `get_token` is given.
    """

    def __init__(self, token: str | None, get_token: GetToken | None) -> None:
        if (token is None) == (get_token is None):
            raise ValueError("give either token or get_token, and not both")
        self._token = token
        self._get_token = get_token
        self._fetching = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # the loop of `_fetching`
        self.refreshable: Final = get_token is not None

    async def current(self) -> str:
        """Return the token to send now. Callers that find none wait for one common fetch.

        What `get_token` raises comes out.
        """
        if self._token is not None:
            return self._token
        if self._loop is not (running := asyncio.get_running_loop()):
            self._loop, self._fetching = running, asyncio.Lock()  # the owner was opened again in another loop
        async with self._fetching:
            if self._token is None:
                self._token = await self._fetched()
            return self._token

    async def _fetched(self) -> str:
        assert self._get_token is not None
        found = self._get_token()
        return await found if inspect.isawaitable(found) else found

    def is_latest(self, token: str) -> bool:
        """Return whether no other token was fetched since `token`."""
        return self._token in (token, None)

    def refused(self, token: str) -> None:
        """Drop a token that a server has refused: the next `current` fetches another one if there is `get_token`.

        A token that was replaced already is ignored: a late refusal of it says nothing about the new one.
        """
        if self.refreshable and token == self._token:
            self._token = None
