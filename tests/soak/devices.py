"""Devices that come and go: the Python SDK, over sockets or event streams, with a position that outlives a visit."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clarion.client import InMemory, Position, State, Subscriber
from clarion.client.network import tls
from clarion.client.subscribing.connection import Connection
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.faults.stream.session import StreamSession
from tests.soak.account import Account

TOKEN_S: Final = 14_400
_KEPT: Final = 20  # ids of what came last, for marks


class Cuttable(Connection):
    """A connection whose socket can be cut without a word."""

    def cut(self) -> None:
        """Cut it, as a network does that goes away."""
        if self._connection is not None:
            self._connection.transport.abort()


class _Watched(Subscriber):
    """A subscriber whose connection can be cut, or which reads an event stream."""

    def __init__(self, urls: Sequence[str], *, posts_to: Sequence[str], **options: Any) -> None:
        super().__init__(urls, **options)
        self._posts_to = posts_to

    def _connection_at(self, url: str, token: str, position: Position) -> Connection:
        if self._posts_to:
            return StreamSession(url, self._posts_to, token, position, self._on_frame)
        return Cuttable(url, token, tls(None), position, self._on_frame)

    def cut(self) -> bool:
        """Cut the socket; return whether there was one."""
        if not isinstance(self._connection, Cuttable):
            return False
        self._connection.cut()
        return True


@dataclass(slots=True)
class Device:
    """One user's device. Between two visits it is away, and keeps its position as an application does."""

    account: Account
    by_stream: bool = False
    latest: list[str] = field(default_factory=list[str])
    _position: InMemory = field(default_factory=InMemory)
    _subscriber: _Watched | None = None
    _visit: "asyncio.Task[None] | None" = None

    @property
    def is_here(self) -> bool:
        """Whether a visit has begun and not ended, connected or not."""
        return self._visit is not None

    @property
    def is_live(self) -> bool:
        """Whether it is connected. Raise what has ended its visit by itself."""
        if self._visit is not None and self._visit.done():
            self._visit.result()
        return self._subscriber is not None and self._subscriber.state is State.LIVE

    @property
    def subscriber(self) -> Subscriber | None:
        """The subscriber of this visit."""
        return self._subscriber

    def come(self, settings: Settings) -> None:
        """Begin a visit. What ends it by itself is raised by `leave`."""
        assert self._visit is None, f"{self.account.user} is here already"
        self._visit = asyncio.create_task(self._stay(settings), name=self.account.user)

    async def leave(self) -> None:
        """End the visit in order: what was handled is acknowledged. Raise what ended it before."""
        visit, self._visit = self._visit, None
        if visit is None:
            return
        visit.cancel()
        ended = (await asyncio.gather(visit, return_exceptions=True))[0]
        if isinstance(ended, Exception):
            raise ended

    def cut(self) -> bool:
        """Cut the connection without a word; the SDK comes back by itself. Return whether there was a socket."""
        return self._subscriber is not None and self._subscriber.cut()

    async def _stay(self, settings: Settings) -> None:
        urls = settings.gateway_urls
        token = mint(settings, sub=self.account.user, scope=SUBSCRIBE, ttl_s=TOKEN_S)
        posts_to = urls if self.by_stream else ()
        try:
            async with _Watched(urls, posts_to=posts_to, token=token, storage=self._position) as subscriber:
                self._subscriber = subscriber
                async for item in subscriber:
                    ord_ = None if item.unstored else item.ord
                    self.account.received(item.id, item.message, item.lane, ord_)
                    self.latest = [*self.latest[1 - _KEPT :], item.id]
        finally:
            self._subscriber = None
