"""All devices of a soak: each minute a fifth of them loses its connection, or leaves for a while; some read inboxes."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from clarion.client import ClientError, Inbox
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.conftest import until
from tests.soak.account import Account
from tests.soak.devices import TOKEN_S, Device
from tests.soak.finishing import finished

CHURN: Final = 0.20  # of the connections, each minute
STREAM_EVERY: Final = 5  # devices: one that reads an event stream
READ_EVERY: Final = 10  # users: one whose inbox is read by another device, which has no connection
FLOODED: Final = "flooded"  # a user who gets more at once than the limit of a recipient
_AWAY_S: Final = (3.0, 60.0)
_ARRIVE_PER_S: Final = 40.0  # at the beginning: below what an address may, so that nobody waits for a limit
_LIVE_WITHIN_S: Final = 60.0
_MARKS_PER_S: Final = 2.0


@dataclass(slots=True)
class Crowd:
    """`regulars` come and go all the time; `late` come at the end only, to all that waits for them then."""

    settings: Settings
    chance: random.Random
    regulars: Sequence[Device]
    late: Sequence[Device]
    did: Counter[str] = field(default_factory=Counter[str])  # what churn and marks did, by its name
    _returns: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    @property
    def accounts(self) -> dict[str, Account]:
        """The accounts of all users."""
        return {device.account.user: device.account for device in (*self.regulars, *self.late)}

    @property
    def live(self) -> int:
        """How many devices are connected."""
        return sum(device.is_live for device in (*self.regulars, *self.late))

    @asynccontextmanager
    async def here(self) -> AsyncGenerator[None]:
        """The regulars are here while the block runs, and gone after it. What ended one by itself is raised."""
        try:
            await self._all_come(self.regulars)
            yield
        finally:
            for task in self._returns:
                task.cancel()
            await asyncio.gather(*self._returns, return_exceptions=True)
            self._returns.clear()
            ended = await asyncio.gather(
                *(device.leave() for device in (*self.regulars, *self.late)), return_exceptions=True
            )
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def all_are_here(self) -> None:
        """Bring back everybody, with those who were never here, and wait until all are connected."""
        for task in self._returns:
            task.cancel()
        await asyncio.gather(*self._returns, return_exceptions=True)
        await self._all_come([device for device in (*self.regulars, *self.late) if not device.is_here])

    async def _all_come(self, devices: Sequence[Device]) -> None:
        for device in devices:
            device.come(self.settings)
            await asyncio.sleep(1 / _ARRIVE_PER_S)
        await until(lambda: all(device.is_live for device in devices), _LIVE_WITHIN_S)

    async def churn(self) -> None:
        """Until cancelled, cut connections, and have devices leave for a while, one after the other."""
        pause_s = 60 / (CHURN * len(self.regulars))
        while True:
            await asyncio.sleep(pause_s)
            live = [device for device in self.regulars if device.is_live]
            if not live:
                continue
            device = self.chance.choice(live)
            if self.chance.random() < 0.5 and device.cut():
                self.did["connections cut"] += 1
                continue
            self.did["devices that left"] += 1
            await finished(device.leave())  # a position that is not saved yet would bring repeats
            returning = asyncio.create_task(self._return(device, self.chance.uniform(*_AWAY_S)))
            self._returns.add(returning)
            returning.add_done_callback(self._returns.discard)

    async def _return(self, device: Device, after_s: float) -> None:
        await asyncio.sleep(after_s)
        device.come(self.settings)

    async def mark(self) -> None:
        """Until cancelled, have devices read, archive and look into inboxes, by frames and over HTTP."""
        while True:
            await asyncio.sleep(1 / _MARKS_PER_S)
            device = self.chance.choice(self.regulars)
            ids = self.chance.sample(device.latest, min(3, len(device.latest)))
            try:
                if not device.by_stream and device.subscriber is not None and self.chance.random() < 0.5:
                    await device.subscriber.read(ids)
                    self.did["marks by frames"] += 1
                else:
                    await self._use_inbox(device.account, ids)
                    self.did["uses of inboxes"] += 1
            except ClientError:  # the device left meanwhile, or its connection was cut
                self.did["marks that met nobody"] += 1

    async def _use_inbox(self, account: Account, ids: Sequence[str]) -> None:
        token = mint(self.settings, sub=account.user, scope=SUBSCRIBE, ttl_s=TOKEN_S)
        async with Inbox(self.settings.gateway_urls, token=token) as inbox:
            if account.is_read_elsewhere:
                page = await inbox.page(unread=True)
                await inbox.read(item.id for item in page.items[:5])
                await inbox.read_all()
            elif self.chance.random() < 0.5:
                await inbox.archive(ids)
                await inbox.unarchive(ids[:1])
                await inbox.page(archived=True)
            else:
                await inbox.unread(ids)
                await inbox.page()


def crowd(settings: Settings, chance: random.Random, users: int, late: int) -> Crowd:
    """Return a crowd of so many users, some of whom read event streams, and of some who come at the end."""
    accounts = [Account(f"user-{n}", is_read_elsewhere=n % READ_EVERY == 1) for n in range(users)]
    regulars = [Device(account, by_stream=n % STREAM_EVERY == 0) for n, account in enumerate(accounts)]
    flooded = Device(Account(FLOODED, is_read_elsewhere=True))
    return Crowd(settings, chance, [*regulars, flooded], [Device(Account(f"late-{n}")) for n in range(late)])
