"""A device that reads, acknowledges and cuts its links when a schedule says so, by the SDK's own rules."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from clarion.client.subscribing.cursor_store import Position
from clarion.client.subscribing.progress import Progress
from clarion.contracts import order
from clarion.contracts.api import frames
from clarion.contracts.api.frames import Ack, Batch, Received, Resume
from clarion.contracts.lanes import Lane
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.gateways import wire


@dataclass(slots=True)
class LiveDevice:
    """`wrongs` is what it saw that must not be."""

    user: str
    settings: Settings
    position: Position = field(default_factory=Position)
    socket: ClientConnection | None = None
    received: set[str] = field(default_factory=set[str])
    early: set[str] = field(default_factory=set[str])
    exempt: set[str] = field(default_factory=set[str])
    repeats: list[str] = field(default_factory=list[str])
    wrongs: list[str] = field(default_factory=list[str])
    is_gone: bool = False
    _tag: int | None = None
    _sent: dict[Lane, int] = field(default_factory=dict[Lane, int])  # on this connection, the last `ord`

    async def connect(self, stack: AsyncExitStack, url: str) -> None:
        self.socket = await stack.enter_async_context(wire(url, mint(self.settings, sub=self.user, scope=SUBSCRIBE)))
        self._tag, self._sent = None, {}
        resume = Resume(dict(self.position.cursors), self.position.since)
        await self.socket.send(frames.encode(resume), text=True)

    @property
    def is_closed(self) -> bool:
        return self.socket is None or self.socket.close_code is not None

    async def handle(self, within_s: float) -> tuple[str, ...] | None:
        """The ids of the next batch; None when none comes in time."""
        assert self.socket is not None
        try:
            async with asyncio.timeout(within_s):
                while not isinstance(frame := frames.decode_server(await self.socket.recv(decode=False)), Batch):
                    pass
        except (TimeoutError, ConnectionClosed):
            return None
        items = [frames.decode_item(item) for item in frame.items]
        self._note(items)
        progress = Progress(self.position)
        progress.batch(frame.tag, items, frame.since)
        progress.handled()
        while progress.take():
            progress.handled()
        self.position, self._tag = progress.position, progress.to_acknowledge() or self._tag
        return tuple(item.id for item in items)

    def _note(self, items: Sequence[Received]) -> None:
        for item in items:
            if item.id in self.received - self.early:
                self.repeats.append(item.id)
            self.received.add(item.id)
            if item.ord is None:
                self.early.add(item.id)
                continue
            place = order.pack(*item.ord)
            if place <= self._sent.get(item.lane, -1):
                self.wrongs.append(f"{item.id} comes out of order, or twice on one connection")
            self._sent[item.lane] = place

    async def acknowledge(self) -> int | None:
        """The tag up to which it has handled all, if that is news."""
        assert self.socket is not None
        tag, self._tag = self._tag, None
        if tag is not None:
            await self.socket.send(frames.encode(Ack(tag)), text=True)
        return tag

    async def lie(self) -> None:
        assert self.socket is not None
        await self.socket.send(frames.encode(Ack(10_000)), text=True)

    def forget(self) -> None:
        self.position = Position()
