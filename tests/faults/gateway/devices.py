"""Devices of a fault run: the Python SDK, watched on the wire and at what it hands out."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from clarion.client import Inbox, State, Subscriber
from clarion.client.subscribing.connection import Connection
from clarion.client.subscribing.cursor_store import Position
from clarion.contracts.api import frames
from clarion.contracts.api.frames import Batch, Resync, ServerFrame, ServerSync
from clarion.contracts.limits import INBOX_PAGE_MOST
from clarion.resilience.backoff import Backoff
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.faults.account import Said
from tests.faults.gateway.receiving import Had, Handed, owed
from tests.faults.stream.session import StreamSession

_RETURN: Final = Backoff(0.2, 2.0)  # sooner than by default: more is in flight at each fault
_STARTS_AT_ONCE: Final = 20
_GREETED_S: Final = 60.0
_SETTLED_S: Final = 90.0


class Watched(Subscriber):
    """Counts what comes again on the wire. What came early comes again by design: once it is stored."""

    def __init__(
        self,
        urls: Sequence[str],
        token: str,
        on_sync: Callable[[ServerSync | Resync], None],
        on_state: Callable[[State], None],
        *,
        by_stream: bool = False,
    ) -> None:
        super().__init__(urls, token=token, on_sync=on_sync, on_state=on_state, backoff=_RETURN)
        self._posts_to: Sequence[str] = urls if by_stream else ()
        self.came: set[str] = set()
        self.came_early: set[str] = set()
        self.repeats = 0

    def _connection_at(self, url: str, token: str, position: Position) -> Connection:
        if self._posts_to:
            return StreamSession(url, self._posts_to, token, position, self._on_frame)
        return super()._connection_at(url, token, position)

    def _on_frame(self, frame: ServerFrame) -> None:
        if isinstance(frame, Batch):
            for body in frame.items:
                item = frames.decode_item(body)
                if item.unstored:
                    self.came_early.add(item.id)
                elif item.id in self.came:
                    self.repeats += 1
                else:
                    self.came.add(item.id)
        super()._on_frame(frame)


class Late(NamedTuple):
    """When an item was published, by the clock of this machine, and how long it took from there to the SDK."""

    published_at: float
    seconds: float


@dataclass(slots=True)
class Device:
    """`pause_s` is how long it takes to handle an item; it may change meanwhile. `by_stream`: it has no sockets."""

    user: str
    by_stream: bool = False
    pause_s: float = 0.0
    handed: list[Handed] = field(default_factory=list[Handed])
    late: list[Late] = field(default_factory=list[Late])
    resyncs: int = 0
    repeats: int = 0
    early: int = 0
    in_inbox: frozenset[str] = frozenset()  # read there at the end, if it was told to
    greeted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def had(self) -> Had:
        return Had(self.user, self.handed, self.in_inbox)

    async def run(self, settings: Settings, urls: Sequence[str]) -> None:
        """Until cancelled. Raises when the gateway sends it away for good."""

        def hear(frame: ServerSync | Resync) -> None:
            self.resyncs += isinstance(frame, Resync)

        token = mint(settings, sub=self.user, scope=SUBSCRIBE, ttl_s=7_200)
        watched = Watched(urls, token, hear, self._enters, by_stream=self.by_stream)
        async with watched:
            try:
                async for item in watched:
                    published_at = int(item.id[:13].replace("-", ""), 16) / 1000
                    self.late.append(Late(published_at, time.time() - published_at))
                    self.handed.append(Handed(item.id, item.message, item.lane, None if item.unstored else item.ord))
                    if self.pause_s:
                        await asyncio.sleep(self.pause_s)
            finally:
                self.repeats += watched.repeats
                self.early += len(watched.came_early)

    async def look(self, settings: Settings, urls: Sequence[str]) -> None:
        """Read the whole inbox, as an application does that was told `resync`."""
        token, found = mint(settings, sub=self.user, scope=SUBSCRIBE, ttl_s=600), set[str]()
        async with Inbox(urls, token=token) as inbox:
            page = await inbox.page(limit=INBOX_PAGE_MOST)
            found.update(item.id for item in page.items)
            while page.next:
                page = await inbox.page(page.next, limit=INBOX_PAGE_MOST)
                found.update(item.id for item in page.items)
        self.in_inbox = frozenset(found)

    def _enters(self, state: State) -> None:
        if state is State.LIVE:
            self.greeted.set()


@asynccontextmanager
async def running(devices: Sequence[Device], settings: Settings, urls: Sequence[str]) -> AsyncGenerator[None]:
    """All of them, greeted, for as long as the block runs; one that ends by itself ends the block with its error.

    Before it is greeted a device is not owed what another one of its user acknowledges.
    """
    async with asyncio.TaskGroup() as tasks:
        started: list[asyncio.Task[None]] = []
        for number, device in enumerate(devices, 1):
            started.append(tasks.create_task(device.run(settings, urls), name=device.user))
            if number % _STARTS_AT_ONCE == 0:
                await asyncio.sleep(0.05)
        try:
            async with asyncio.timeout(_GREETED_S):
                for device in devices:
                    await device.greeted.wait()
            yield
        finally:
            for task in started:
                task.cancel()


async def settled(
    published: Mapping[str, Said], devices: Sequence[Device], settings: Settings, urls: Sequence[str]
) -> None:
    """Until every device has all it is owed; when that does not come, the account says what is missing.

    Who was told to read the inbox does so at last, and waits for nothing that is there.
    """
    by_user = owed(published)
    waiting = {number: set(by_user.get(device.user, ())) for number, device in enumerate(devices)}
    try:
        async with asyncio.timeout(_SETTLED_S):
            while waiting:
                if all(devices[number].resyncs for number in waiting):
                    break
                for number, missing in list(waiting.items()):
                    missing.difference_update(item.id for item in devices[number].handed)
                    if not missing:
                        del waiting[number]
                await asyncio.sleep(0.5)
    except TimeoutError:
        pass
    for number in waiting:
        if devices[number].resyncs:
            await devices[number].look(settings, urls)
