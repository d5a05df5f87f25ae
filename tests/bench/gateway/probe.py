"""How long a delivery record takes to its user's socket: one user of one's own, beside whatever else goes on."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from websockets.asyncio.client import ClientConnection

from clarion.broker import clients
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Items
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.bench.gateway.arms import Arm
from tests.bench.gateway.items import item
from tests.gateways import greeted, wire

USER: Final = "probe"
_PAUSE_S: Final = 0.005
_WITHIN_S: Final = 30.0


class Arrivals:
    """When what is expected comes; of what nobody expects, nothing is kept."""

    def __init__(self) -> None:
        self._expected: dict[str, asyncio.Future[float]] = {}

    def expect(self, id_: str) -> "asyncio.Future[float]":
        future = self._expected[id_] = asyncio.get_running_loop().create_future()
        return future

    def tell(self, id_: str) -> None:
        if expected := self._expected.pop(id_, None):
            expected.set_result(time.perf_counter())


class Probe:
    def __init__(self, settings: Settings, arm: Arm, socket: ClientConnection, producer: AIOKafkaProducer) -> None:
        self._names = Names(settings.prefix)
        self._mailbox = arm.mailbox
        self._socket = socket
        self._producer = producer
        self._arrivals = Arrivals()
        self._ordinal = 0

    async def waits(self, lane: Lane, count: int, *others: Arrivals) -> list[list[float]]:
        """Of one after the other: the seconds to its user's socket, and to each of the others."""
        return [await self._wait(lane, (self._arrivals, *others)) for _ in range(count)]

    async def _wait(self, lane: Lane, places: Sequence[Arrivals]) -> list[float]:
        await asyncio.sleep(_PAUSE_S)
        self._ordinal += 1
        one = item(USER, lane, self._ordinal)
        expected = [place.expect(one.id) for place in places]
        began = time.perf_counter()
        async with asyncio.timeout(_WITHIN_S):
            await self._producer.send(
                self._names.deliveries(lane), deliveries.encode(Items([one])), partition=self._mailbox
            )
            return [at - began for at in await asyncio.gather(*expected)]

    async def read(self) -> None:
        async for text in self._socket:
            frame: dict[str, Any] = json.loads(text)
            if frame["op"] == "ping":
                await self._socket.send('{"op":"pong"}')
            elif frame["op"] == "batch":
                items: Sequence[dict[str, Any]] = frame["items"]
                for one in items:
                    self._arrivals.tell(one["id"])
                await self._socket.send(f'{{"op":"ack","tag":{frame["tag"]}}}')


@asynccontextmanager
async def probing(settings: Settings, arm: Arm) -> AsyncGenerator[Probe]:
    producer = clients.producer(settings)
    await producer.start()
    try:
        async with (
            wire(f"http://127.0.0.1:{arm.port}", mint(settings, sub=USER, scope=SUBSCRIBE)) as socket,
            asyncio.TaskGroup() as tasks,
        ):
            await greeted(socket)
            probe = Probe(settings, arm, socket, producer)
            reading = tasks.create_task(probe.read())
            yield probe
            reading.cancel()
    finally:
        await producer.stop()
