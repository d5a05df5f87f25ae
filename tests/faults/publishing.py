"""What is published during a fault run, at a steady rate: what Kafka has acknowledged, and what it may have taken."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.faults.account import Said

_TICK_S: Final = 0.05


@dataclass(slots=True)
class Publishing:
    """`address` says of the n-th notification who gets it, and through which lane."""

    settings: Settings
    rate: float
    address: Callable[[int], tuple[str, Lane]]
    published: dict[str, Said] = field(default_factory=dict[str, Said])
    unsure: set[str] = field(default_factory=set[str])

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """While it is entered; afterwards everything is acknowledged, or unsure. What fails in it comes out."""
        producer = clients.producer(self.settings, linger_ms=5)
        await producer.start()
        task = asyncio.create_task(self._publish(producer), name="publishing")
        try:
            yield
        finally:
            task.cancel()
            failures = await asyncio.gather(task, return_exceptions=True)
            await producer.stop()  # flushes
            await asyncio.sleep(0)  # the last acknowledgements are noted
        for failure in failures:
            if isinstance(failure, Exception):
                raise failure

    async def _publish(self, producer: AIOKafkaProducer) -> None:
        began, sent = time.perf_counter(), 0
        while True:
            due = int(self.rate * (time.perf_counter() - began)) - sent
            with contextlib.suppress(*clients.SEND_ERRORS):  # not accepted is not lost: `unsure` has the id
                for number in range(sent, sent + due):
                    await self._send(producer, number)
            sent += due
            await asyncio.sleep(_TICK_S)

    async def _send(self, producer: AIOKafkaProducer, number: int) -> None:
        user, lane = self.address(number)
        id_, said = new_id(), Said(user, f"number {number}")
        item = Notification(id=id_, type="fault", message=said.message, recipient=user, sender="tests", priority=lane)
        self.unsure.add(id_)
        topic = Names(self.settings.prefix).notifications(lane)
        future = cast("asyncio.Future[Any]", await producer.send(topic, notification.encode(item), key=user.encode()))

        def acknowledged(future: "asyncio.Future[Any]") -> None:
            if not future.cancelled() and future.exception() is None:
                self.unsure.discard(id_)
                self.published[id_] = said

        future.add_done_callback(acknowledged)
