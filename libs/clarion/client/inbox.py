"""`Inbox`: one user's notifications as the server keeps them, over HTTP."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final, Self

import httpx2
import msgspec

from clarion.client.http import Http
from clarion.client.subscribing.connection import websocket_url
from clarion.client.tokens import GetToken, TokenSource
from clarion.contracts import limits
from clarion.contracts.api.inbox import InboxPage, Marked, ReadAll, Unread

_JSON: Final = {"Content-Type": "application/json"}


class Inbox:
    """Use it as `async with Inbox(url, token=…) as inbox: page = await inbox.page()`.

    Every call raises `Refused` for what is never accepted, and `Unavailable` when the server gave no verdict within
    `deadline_s`; what was to be marked may then be marked all the same, and doing it again is harmless. Counts are the
    server's, up to 100 (show "99+"). More than 500 ids are several requests. At most 16 are under way: what is asked
    for beyond that waits its turn. It is used in one event loop, until it is closed; else every call raises `NotOpen`.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        token: str | None = None,
        get_token: GetToken | None = None,
        tokens: TokenSource | None = None,
        deadline_s: float = 30.0,
        through: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """`url`: a gateway's, or several. `tokens`: instead of the two before it, shared. `through`: for tests."""
        urls = [_inbox_url(one) for one in ([url] if isinstance(url, str) else url)]
        self._http = Http(urls, tokens or TokenSource(token, get_token), deadline_s, through, what="inbox")

    async def __aenter__(self) -> Self:
        self._http.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.stop()

    async def page(
        self, cursor: str | None = None, *, limit: int = limits.INBOX_PAGE, unread: bool = False, archived: bool = False
    ) -> InboxPage:
        """Up to `limit` (200 at most) notifications, newest first; `cursor` is `next` of the page before.

        `unread`: only those. `archived`: the archive instead; what is there is never unread.
        """
        asked = {"limit": str(limit), "unread": str(unread).lower(), "archived": str(archived).lower()}
        if cursor is not None:
            asked["cursor"] = cursor
        response = await self._http.ask("GET", "", self._http.deadline(), params=asked)
        return msgspec.json.decode(response.content, type=InboxPage)

    async def unread_count(self) -> int:
        response = await self._http.ask("GET", "/count", self._http.deadline())
        return msgspec.json.decode(response.content, type=Unread).unread

    async def read(self, ids: Iterable[str]) -> int:
        """Mark as read, on every device; returns the new count. Ids that are not in the inbox change nothing."""
        return await self._mark("read", ids)

    async def unread(self, ids: Iterable[str]) -> int:
        return await self._mark("unread", ids)

    async def archive(self, ids: Iterable[str]) -> int:
        """Take out of the inbox, into the archive; returns the new count."""
        return await self._mark("archive", ids)

    async def unarchive(self, ids: Iterable[str]) -> int:
        """Take back from the archive, as read; returns the new count."""
        return await self._mark("unarchive", ids)

    async def read_all(self) -> int:
        """Mark everything as read, however much; returns the new count: what came meanwhile is unread."""
        while True:
            response = await self._http.ask("POST", "/read-all", self._http.deadline())
            done = msgspec.json.decode(response.content, type=ReadAll)
            if not done.more:
                return done.unread

    async def _mark(self, verb: str, ids: Iterable[str]) -> int:
        wanted = list(ids)
        if not wanted:
            return await self.unread_count()
        count = 0
        for start in range(0, len(wanted), limits.IDS_PER_FRAME):
            body = msgspec.json.encode(Marked(wanted[start : start + limits.IDS_PER_FRAME]))
            response = await self._http.ask("POST", f"/{verb}", self._http.deadline(), headers=_JSON, body=body)
            count = msgspec.json.decode(response.content, type=Unread).unread
        return count


def _inbox_url(url: str) -> str:
    """A gateway's address, as `Connection` takes it → `http(s)://host/v1/inbox`."""
    return websocket_url(url).replace("ws", "http", 1).removesuffix("/ws") + "/inbox"
