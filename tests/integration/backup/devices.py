"""Devices of users, which keep their cursors while they are away, and note what their SDK hands to them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from clarion.client import Subscriber
from clarion.client.subscribing.cursor_store import InMemory
from clarion.contracts.api.frames import Received
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings


@dataclass(slots=True, eq=False)
class Device:
    """`got` has what was handed over, in order, and `ends` how many of them came before each time it left."""

    live: Settings
    user: str
    storage: InMemory = field(default_factory=InMemory)
    got: list[Received] = field(default_factory=list[Received])
    ends: list[int] = field(default_factory=list[int])

    @asynccontextmanager
    async def online(self) -> AsyncGenerator[None]:
        """Read and acknowledge while the block runs, from where it was. What fails in it comes out."""
        token = mint(self.live, sub=self.user, scope=SUBSCRIBE)
        async with Subscriber(self.live.gateway_urls, token=token, storage=self.storage) as subscriber:
            reading = asyncio.create_task(self._read(subscriber), name=f"device of {self.user}")
            try:
                yield
            finally:
                reading.cancel()
                (failed,) = await asyncio.gather(reading, return_exceptions=True)
                self.ends.append(len(self.got))
        if isinstance(failed, Exception):
            raise failed

    async def _read(self, subscriber: Subscriber) -> None:
        async for received in subscriber:
            self.got.append(received)

    @property
    def ids(self) -> set[str]:
        return {received.id for received in self.got}

    def twice(self) -> set[str]:
        """What was handed over twice, and did not come before it was stored: that moves no cursor."""
        seen: set[str] = set()
        again: set[str] = set()
        for received in self.got:
            if received.id in seen:
                again.add(received.id)
            seen.add(received.id)
        return again - {received.id for received in self.got if received.ord is None}

    def out_of_order(self) -> set[str]:
        """What came after something later of its lane."""
        highest: dict[str, tuple[int, int]] = {}
        wrong: set[str] = set()
        for received in self.got:
            if received.ord is None:
                continue
            place = (received.ord[0], received.ord[1])
            if place < highest.get(received.lane, place):
                wrong.add(received.id)
            highest[received.lane] = max(place, highest.get(received.lane, place))
        return wrong
