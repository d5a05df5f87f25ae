"""All users' devices of a run: in three processes, of which one dies and one sleeps."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.compare.account import Account
from tests.compare.arms.arm import Running
from tests.compare.clients import fleet
from tests.compare.clients.fleet import Fleet
from tests.compare.clients.lines import Ended, Got, Kept
from tests.compare.workload import Kind, Move, users

_AT_ONCE: Final = 20  # that are told to connect, each
_PAUSE_S: Final = 0.1
_SHOWN: Final = 3


@dataclass(slots=True)
class Devices:
    """Where each user's device is, and what went wrong with connections without anybody's doing."""

    others: Fleet
    mortal: Fleet
    sleepers: Fleet
    cuts: int = 0
    ended: Counter[str] = field(default_factory=Counter[str])  # by what the device said
    positions: dict[str, str] = field(default_factory=dict[str, str])  # what users' applications have kept
    _is_dead: bool = False

    @property
    def received_bytes(self) -> int:
        """Return how many bytes all devices have received that still tell."""
        return self.others.received_bytes + self.sleepers.received_bytes + self.mortal.received_bytes

    @property
    def failures(self) -> int:
        """Return how many connections have ended, or could not be made, beyond those that were cut."""
        return max(0, self.ended.total() - self.cuts)

    def of(self, user: str) -> Fleet:
        """Return the process of a user's device. Who had one that died has another one after that."""
        if user in _SLEEPERS:
            return self.sleepers
        return self.mortal if user in _MORTAL and not self._is_dead else self.others

    def do(self, what: Literal["leave", "connect", "cut"], user: str) -> None:
        """Have a user's device do something."""
        self.cuts += what == "cut" and user in self.of(user).live
        self.of(user).tell(what, user, self.positions.get(user))

    async def connect(self, connecting: Iterable[str]) -> None:
        """Connect these, not all in one moment, and wait until they are. Raise TimeoutError."""
        asked = list(connecting)
        for start in range(0, len(asked), _AT_ONCE):
            for user in asked[start : start + _AT_ONCE]:
                self.do("connect", user)
            await asyncio.sleep(_PAUSE_S)
        await self.connected(asked)

    async def connected(self, waiting: Iterable[str]) -> None:
        """Wait until the devices of these are connected. Raise TimeoutError."""
        by_fleet: dict[int, tuple[Fleet, set[str]]] = {}
        for user in waiting:
            by_fleet.setdefault(id(self.of(user)), (self.of(user), set()))[1].add(user)
        for of, who in by_fleet.values():
            await of.connected(who)

    def die(self) -> None:
        """Let the mortal devices die: nothing closes their sockets, and nobody answers there any more."""
        self.mortal.stop()
        self._is_dead = True

    async def follow(self, moves: Iterable[Move]) -> None:
        """Do each move at its moment."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for move in moves:
            await asyncio.sleep(began + move.at - loop.time())
            self.do(move.what, move.user)

    def said(self) -> str:
        """Return, in words, what devices said of connections that ended."""
        return ", ".join(f"{why} ({count})" for why, count in self.ended.most_common(_SHOWN))


_SLEEPERS: Final = frozenset(users(Kind.SLEEPER))
_MORTAL: Final = frozenset(users(Kind.MORTAL))


@asynccontextmanager
async def running(system: Running, account: Account) -> AsyncGenerator[Devices]:
    """Processes of devices for as long as the block runs, nobody connected at first."""
    async with AsyncExitStack() as ends:
        ended: Counter[str] = Counter()
        positions: dict[str, str] = {}

        def on_got(got: Got) -> None:
            account.handed(got.user, got.key, got.at)
            if got.position is not None:
                positions[got.user] = got.position

        def on_kept(kept: Kept) -> None:
            positions[kept.user] = kept.position

        def on_ended(one: Ended) -> None:
            ended[one.why] += 1

        others, mortal, sleepers = [
            await ends.enter_async_context(
                fleet.running(
                    system.devices, system.env, system.logs / f"devices-{name}.log", on_got, on_ended, on_kept
                )
            )
            for name in ("others", "mortal", "sleepers")
        ]
        yield Devices(others, mortal, sleepers, ended=ended, positions=positions)
