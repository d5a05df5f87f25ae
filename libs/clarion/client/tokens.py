"""Where a client's token comes from: a string, or a function (async or not) that fetches a fresh one."""

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
        self.refreshable: Final = get_token is not None

    async def current(self) -> str:
        if self._token is None:
            assert self._get_token is not None
            found = self._get_token()
            self._token = await found if inspect.isawaitable(found) else found
        return self._token

    def refused(self) -> None:
        """The next `current` fetches another one, if this source can."""
        if self.refreshable:
            self._token = None
