"""Readers that stall, and devices that are behind: what they are sent meanwhile is bounded, and they miss nothing."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from clarion.client import HttpPublisher, Lane, Publisher, Submission
from clarion.contracts.limits import CREDIT_ITEMS, CREDIT_URGENT_ITEMS
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database
from services.gateway.client.feed import DELIVERED_REPLAYS
from tests.conftest import until
from tests.gateways import frame, greeted, wire

SIZE = 2_000
QUIET_S = 1.0


class Reader:
    """A client that reads whatever comes and acknowledges only when told to."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.tag = 0
        self.said: list[str] = []
        self.urgent: list[str] = []
        self.resyncs = 0
        self.unhandled = 0

    async def read(self, *, acknowledge: bool = False, quiet_s: float = QUIET_S) -> None:
        """Until nothing comes for a while."""
        while True:
            try:
                got: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), quiet_s))
            except TimeoutError:
                if not (acknowledge and self.unhandled):
                    return
                await self._acknowledge()
                continue
            if got["op"] == "batch":
                self.tag = got["tag"]
                self.unhandled += 1
                for item in got["items"]:
                    (self.urgent if item["lane"] == Lane.URGENT else self.said).append(item["message"][:10].strip())
                if acknowledge:
                    await self._acknowledge()
            elif got["op"] == "resync":
                self.resyncs += 1

    async def _acknowledge(self) -> None:
        self.unhandled = 0
        await self.socket.send(f'{{"op":"ack","tag":{self.tag}}}')


@asynccontextmanager
async def reader(live: Settings, user: str, gateway: int = 0) -> AsyncGenerator[Reader]:
    async with wire(live.gateway_urls[gateway], mint(live, sub=user, scope=SUBSCRIBE)) as socket:
        await greeted(socket)
        yield Reader(socket)


async def publish(live: Settings, user: str, numbers: Sequence[int], size: int = SIZE) -> list[str]:
    wanted = [Submission(type="t", message=f"{n:<{size}}", recipient=user, priority=Lane.NORMAL) for n in numbers]
    async with Publisher.kafka(live.kafka, sender="bulk", prefix=live.prefix) as kafka:
        assert all(result.id for result in await kafka.publish_many(wanted))
    return [str(n) for n in numbers]


async def test_a_stalled_reader_gets_its_credit_and_urgent_overtakes(
    live: Settings, user: str, stored: Database, publisher: HttpPublisher
) -> None:
    async with reader(live, user) as stalled:
        everything = await publish(live, user, range(600))

        async def all_stored() -> bool:
            return await notifications.collection(stored).count_documents({"recipient": user}) == len(everything)

        await until(all_stored)
        await stalled.read()
        assert stalled.said == everything[: CREDIT_ITEMS - CREDIT_URGENT_ITEMS]
        for number in range(CREDIT_URGENT_ITEMS):
            await publisher.publish(recipient=user, type="t", message=str(number), priority=Lane.URGENT)
            got = await frame(stalled.socket, "batch")
            assert [item["message"] for item in got["items"]] == [str(number)], "it waits behind nothing"
        await publisher.publish(recipient=user, type="t", message="last", priority=Lane.URGENT)
        await stalled.read()
        assert stalled.urgent == [], "urgent has its end, too"
        stalled.unhandled = 1
        await stalled.read(acknowledge=True, quiet_s=0.2)
        await stalled.read(acknowledge=True)
        assert stalled.said == everything
        assert stalled.urgent == ["last"]
        assert stalled.resyncs == 0


@pytest.mark.slow
async def test_what_another_device_acknowledged_comes_up_to_a_limit(
    live: Settings, user: str, stored: Database
) -> None:

    async def all_delivered(count: int) -> None:
        async def are() -> bool:
            mine = {"recipient": user, "state": "delivered"}
            return await notifications.collection(stored).count_documents(mine) == count

        await until(are)

    async with reader(live, user) as quick, reader(live, user, gateway=1) as behind:

        async def both(numbers: Sequence[int]) -> None:
            """Published, and all acknowledged by one before the other acknowledges anything."""
            everything.extend(await publish(live, user, numbers, size=10))
            await quick.read(acknowledge=True)
            assert quick.said == everything
            await all_delivered(len(everything))
            await behind.read()

        everything: list[str] = []
        await both(range(300))
        assert len(behind.said) < CREDIT_ITEMS
        await behind.read(acknowledge=True)
        assert (behind.said, behind.resyncs) == (everything, 0)
        # more than is replayed of what others have acknowledged: the rest is in the inbox, and that is told
        await both(range(300, 400 + DELIVERED_REPLAYS + CREDIT_ITEMS))
        await behind.read(acknowledge=True)
        assert behind.said == everything[: len(behind.said)]
        assert 300 + DELIVERED_REPLAYS <= len(behind.said) < len(everything)
        assert behind.resyncs == 2, "when the inbox has the rest, and when nothing more will be left out"
        # and the next time it is behind is another matter
        missed = len(everything) - len(behind.said)
        await both(range(5_000, 5_300))
        await behind.read(acknowledge=True)
        assert behind.said[-300:] == everything[-300:]
        assert (len(everything) - len(behind.said), behind.resyncs) == (missed, 2)
