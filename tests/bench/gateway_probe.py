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
from clarion.contracts import deliveries
from clarion.contracts.deliveries import Items
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests import report
from tests.bench.gateway_arms import Arm
from tests.bench.gateway_items import item
from tests.gateways import greeted, wire

USER: Final = "probe"
_PAUSE_S: Final = 0.005
_WITHIN_S: Final = 30.0


class Probe:
    def __init__(self, settings: Settings, arm: Arm, socket: ClientConnection, producer: AIOKafkaProducer) -> None:
        self._names = Names(settings.prefix)
        self._mailbox = arm.mailbox
        self._socket = socket
        self._producer = producer
        self._seen: dict[str, asyncio.Event] = {}
        self._ordinal = 0

    async def p99_ms(self, lane: Lane, count: int) -> float:
        return report.p99_ms([await self._seconds(lane) for _ in range(count)])

    async def _seconds(self, lane: Lane) -> float:
        await asyncio.sleep(_PAUSE_S)
        self._ordinal += 1
        one = item(USER, lane, self._ordinal)
        seen = self._seen[one.id] = asyncio.Event()
        began = time.perf_counter()
        async with asyncio.timeout(_WITHIN_S):
            await self._producer.send(
                self._names.deliveries(lane), deliveries.encode(Items([one])), partition=self._mailbox
            )
            await seen.wait()
        return time.perf_counter() - began

    async def read(self) -> None:
        async for text in self._socket:
            frame: dict[str, Any] = json.loads(text)
            if frame["op"] == "ping":
                await self._socket.send('{"op":"pong"}')
            elif frame["op"] == "batch":
                items: Sequence[dict[str, Any]] = frame["items"]
                for one in items:
                    if seen := self._seen.pop(one["id"], None):
                        seen.set()
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
