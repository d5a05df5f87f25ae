"""`Inbox`: one user's notifications as the server keeps them, read and marked over HTTP."""

import ssl
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final, Self

import httpx2
import msgspec

from clarion.client.http import Http
from clarion.client.network import tls
from clarion.client.subscribing.connection import websocket_url
from clarion.client.tokens import GetToken, TokenSource
from clarion.contracts import limits
from clarion.contracts.api.inbox import InboxPage, Marked, ReadAll, Unread

_JSON: Final = {"Content-Type": "application/json"}


class Inbox:
    """One user's notifications as the server keeps them. The user is the subject of the token.

        async with Inbox("http://localhost:8081", token=token) as inbox:
            page = await inbox.page(unread=True)
            unread_count = await inbox.read(item.id for item in page.items)

    Each call may raise `Refused`, which is final, or `Unavailable` when nothing was decided within `deadline_s`
    seconds: marks may then be set all the same, and setting them again is harmless. A call raises `NotOpen` after
    `close`, and in another event loop than that of the first use.

    Counts are the server's and end at 100, which applications show as "99+". More than 500 ids are sent in several
    requests. At most 16 requests are under way; a call beyond that waits until one of them is done.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        token: str | None = None,
        get_token: GetToken | None = None,
        tokens: TokenSource | None = None,
        deadline_s: float = 30.0,
        ssl_context: ssl.SSLContext | None = None,
        through: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Take the addresses of one or several gateways as `url`, and either `token` or `get_token`.

        `tokens` takes the place of both, so that several objects share one token. `ssl_context` takes the place of the
        host's certificate settings, and `through` that of the network in tests. Raise ValueError for a `url` that is no
        gateway's, and unless exactly one token source is given.
        """
        urls = [_inbox_url(one) for one in ([url] if isinstance(url, str) else url)]
        self._http = Http(
            urls, tokens or TokenSource(token, get_token), deadline_s, tls(ssl_context), through, what="inbox"
        )

    async def __aenter__(self) -> Self:
        self._http.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections, as the end of `async with` does."""
        await self._http.stop()

    async def page(
        self, cursor: str | None = None, *, limit: int = limits.INBOX_PAGE, unread: bool = False, archived: bool = False
    ) -> InboxPage:
        """Return a page of up to `limit` notifications (at most 200), newest first.

        `cursor` is `next` of the page before; without one, the page is the first. `unread` leaves out what is read.
        `archived` reads the archive instead of the inbox; nothing in there is unread. A page of large notifications
        has fewer of them, so the last page is the one whose `next` is None:

            page = await inbox.page()
            while page.next is not None:
                page = await inbox.page(page.next)
        """
        asked = {"limit": str(limit), "unread": str(unread).lower(), "archived": str(archived).lower()}
        if cursor is not None:
            asked["cursor"] = cursor
        response = await self._http.ask("GET", "", self._http.deadline(), params=asked)
        return msgspec.json.decode(response.content, type=InboxPage)

    async def unread_count(self) -> int:
        """Return how many notifications are unread, 100 at most."""
        response = await self._http.ask("GET", "/count", self._http.deadline())
        return msgspec.json.decode(response.content, type=Unread).unread

    async def read(self, ids: Iterable[str]) -> int:
        """Mark notifications as read on all devices; return the new unread count.

        Ids that are not in the user's inbox change nothing.
        """
        return await self._mark("read", ids)

    async def unread(self, ids: Iterable[str]) -> int:
        """Mark notifications as unread on all devices; return the new unread count."""
        return await self._mark("unread", ids)

    async def archive(self, ids: Iterable[str]) -> int:
        """Move notifications from the inbox to the archive, where they count as read; return the new unread count."""
        return await self._mark("archive", ids)

    async def unarchive(self, ids: Iterable[str]) -> int:
        """Move notifications from the archive back to the inbox, as read; return the new unread count."""
        return await self._mark("unarchive", ids)

    async def read_all(self) -> int:
        """Mark everything as read, in as many requests as that takes; return the new unread count.

        It is above 0 when notifications came meanwhile.
        """
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
    """Return `http(s)://host/v1/inbox` for a gateway's address in any form that `Connection` takes."""
    return websocket_url(url).replace("ws", "http", 1).removesuffix("/ws") + "/inbox"
