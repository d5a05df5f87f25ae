"""Clients that do not keep up, or not to the protocol: what they cost, and that they miss nothing afterwards."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from websockets.exceptions import ConnectionClosed

from clarion.contracts.api import frames
from clarion.contracts.api.close_codes import Close
from clarion.contracts.api.frames import Resume
from clarion.contracts.limits import CREDIT_BYTES, CREDIT_ITEMS, EARLY_BYTES, EARLY_ITEMS, KIB
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests import gateways
from tests.faults.gateway.devices import Device
from tests.faults.gateway.gateways import Gateway
from tests.faults.gateway.raw_client import frame, slow_socket
from tests.report import Row, at_most

EACH: Final = 20  # clients of each kind
_RESUME: Final = frame(1, frames.encode(Resume()))
_AGAIN_S: Final = 1.0


@dataclass(slots=True)
class Odd:
    """Users of whom each kind takes its own; `slow` are devices beside a quick one of the same user."""

    settings: Settings
    slow: list[Device] = field(default_factory=list[Device])
    most: Counter[str] = field(default_factory=Counter[str])  # of what anybody got who acknowledged nothing
    violations: int = 0  # that were answered as they must be

    def users(self) -> list[str]:
        return [f"{kind}-{n}" for kind in ("drip", "silent", "liar") for n in range(EACH)]

    def token(self, user: str) -> str:
        return mint(self.settings, sub=user, scope=SUBSCRIBE, ttl_s=7_200)


async def stall(odd: Odd, team: Sequence[Gateway], seconds: int, progress: Callable[[str], None]) -> list[Row]:
    before = [gateway.resident() for gateway in team]
    for device in odd.slow:
        device.pause_s = 1.0
    turns = itertools.cycle(team)
    works = [
        *(_drip(odd, f"drip-{n}", next(turns)) for n in range(EACH)),
        *(_silent(odd, f"silent-{n}", next(turns)) for n in range(EACH)),
        *(_liar(odd, f"liar-{n}", next(turns)) for n in range(EACH)),
    ]
    most = list(before)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work) for work in works]
        for passed in range(seconds):
            await asyncio.sleep(1)
            most = [max(top, gateway.resident()) for top, gateway in zip(most, team, strict=True)]
            if passed % 10 == 9:
                progress(f"odd clients for {passed + 1} s")
        for task in running:
            task.cancel()
    for device in odd.slow:
        device.pause_s = 0.0
    growth = sum(most) - sum(before)
    return [
        at_most("odd clients: memory a stalled client", growth / (2 * EACH) / KIB, 256, "KiB"),
        # items that cannot be stored now may exceed the credit, so they count apart
        at_most("odd clients: most stored items unacknowledged", odd.most["stored"], CREDIT_ITEMS, "items"),
        at_most("odd clients: most of their bytes", odd.most["stored bytes"] / KIB, CREDIT_BYTES / KIB, "KiB"),
        at_most("odd clients: most items unacknowledged", odd.most["all"], CREDIT_ITEMS + EARLY_ITEMS, "items"),
        at_most("odd clients: most bytes", odd.most["bytes"] / KIB, (CREDIT_BYTES + EARLY_BYTES) / KIB, "KiB"),
        Row("odd clients: false acknowledgements refused", odd.violations, ""),
    ]


async def _drip(odd: Odd, user: str, gateway: Gateway) -> None:
    """Reads a byte a second. It sees no ping, so it is sent away in time, and comes again."""
    loop = asyncio.get_running_loop()
    while True:
        one = await slow_socket(gateway.port, odd.token(user))
        try:
            with suppress(ConnectionError):
                await loop.sock_sendall(one, _RESUME)
                while await loop.sock_recv(one, 1):
                    await asyncio.sleep(1)
        finally:
            one.close()
        await asyncio.sleep(_AGAIN_S)


async def _silent(odd: Odd, user: str, gateway: Gateway) -> None:
    """Reads everything, answers pings, and acknowledges nothing."""
    had = Counter[str]()
    async with gateways.wire(gateway.url, odd.token(user)) as socket:
        await socket.send(frames.encode(Resume()), text=True)
        async for text in socket:
            got = frames.decode_server(text)
            if isinstance(got, frames.Batch):
                stored = [item for item in got.items if not frames.decode_item(item).unstored]
                had["all"] += len(got.items)
                had["bytes"] += sum(len(bytes(item)) for item in got.items)
                had["stored"] += len(stored)
                had["stored bytes"] += sum(len(bytes(item)) for item in stored)
                odd.most |= had
            elif isinstance(got, frames.Ping):
                await socket.send('{"op":"pong"}')


async def _liar(odd: Odd, user: str, gateway: Gateway) -> None:
    """Acknowledges what it was never sent, in ever new ways."""
    for tag in _tags():
        with suppress(ConnectionClosed):
            async with gateways.wire(gateway.url, odd.token(user)) as socket:
                await gateways.greeted(socket)
                await socket.send(f'{{"op":"ack","tag":{tag}}}')
                odd.violations += await gateways.close_code(socket) == Close.PROTOCOL
        await asyncio.sleep(_AGAIN_S)


def _tags() -> Iterator[str]:
    return itertools.cycle(["1000", "9223372036854775807", "99999999999999999999999", "0", "-1", "1.5", '"1"', "null"])
