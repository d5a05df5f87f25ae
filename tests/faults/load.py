"""What is published during a fault run and what came of it: by Kafka, MongoDB and the mailboxes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition

from clarion.broker import clients
from clarion.contracts import deliveries, notification, order
from clarion.contracts.deliveries import Items, Unstored
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.notification import Notification
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import database, notifications, sessions
from tests.faults.account import Emission, Said

USERS: Final = 500
_TICK_S: Final = 0.05
_SETTLED_S: Final = 90.0


def online() -> frozenset[str]:
    return frozenset(f"user-{n}" for n in range(0, USERS, 2))


@dataclass(slots=True)
class Load:
    """Publishes at a steady rate while it is entered, and watches every mailbox."""

    settings: Settings
    rate: float
    lane: Lane
    published: dict[str, Said] = field(default_factory=dict[str, Said])
    unsure: set[str] = field(default_factory=set[str])
    emissions: list[Emission] = field(default_factory=list[Emission])
    early: set[str] = field(default_factory=set[str])  # went live before they were stored

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        connection = database.connect(self.settings)
        here = [sessions.present(user, int(user.removeprefix("user-")) % 8, 1, 1) for user in sorted(online())]
        await sessions.write(sessions.collection(connection), here)
        producer = clients.producer(self.settings, linger_ms=5)
        consumer: Any = clients.mailbox_consumer(self.settings)
        await producer.start()
        await consumer.start()
        topic = Names(self.settings.prefix).deliveries(self.lane)
        consumer.assign([TopicPartition(topic, n) for n in range(self.settings.partitions_deliveries)])
        await consumer.seek_to_beginning()
        tasks = [asyncio.create_task(self._publish(producer)), asyncio.create_task(self._watch(consumer))]
        try:
            yield
            tasks[0].cancel()
            await asyncio.gather(tasks[0], return_exceptions=True)
            await producer.flush()
            await asyncio.sleep(0)  # the last acknowledgements are noted
            await self._settled(connection)
        finally:
            for task in tasks:
                task.cancel()
            failures = await asyncio.gather(*tasks, return_exceptions=True)
            await producer.stop()
            await consumer.stop()
            database.close(connection)
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
        id_, user = new_id(), f"user-{number % USERS}"
        said = Said(user, f"number {number}")
        item = Notification(
            id=id_, type="fault", message=said.message, recipient=user, sender="tests", priority=self.lane
        )
        self.unsure.add(id_)
        topic = Names(self.settings.prefix).notifications(self.lane)
        future = cast("asyncio.Future[Any]", await producer.send(topic, notification.encode(item), key=user.encode()))

        def acknowledged(future: "asyncio.Future[Any]") -> None:
            if not future.cancelled() and future.exception() is None:
                self.unsure.discard(id_)
                self.published[id_] = said

        future.add_done_callback(acknowledged)

    async def _watch(self, consumer: Any) -> None:
        async for record in consumer:
            delivery = deliveries.decode(record.value)
            match delivery:
                case Items(items):
                    for item in items:
                        emission = Emission(record.partition, item.recipient, item.id, order.pack(*item.ord))
                        self.emissions.append(emission)
                case Unstored(items):
                    self.early.update(item.id for item in items)
                case _:
                    pass

    async def _settled(self, connection: database.Database) -> None:
        """Until everything is stored and emitted; when that does not come, the account says what is missing."""
        stored = notifications.collection(connection)
        wanted = {id_ for id_, said in self.published.items() if said.recipient in online()}
        try:
            async with asyncio.timeout(_SETTLED_S):
                while await stored.estimated_document_count() < len(self.published):
                    await asyncio.sleep(0.2)
                while not wanted <= {emission.id for emission in self.emissions}:
                    await asyncio.sleep(0.5)
        except TimeoutError:
            pass

    async def stored(self) -> dict[str, Said]:
        connection = database.connect(self.settings)
        found: dict[str, Said] = {}
        async for document in notifications.collection(connection).find({}, ["recipient", "body"]):
            message = msgspec.json.decode(document["body"])["message"]
            found[document["_id"]] = Said(document["recipient"], message)
        database.close(connection)
        return found
