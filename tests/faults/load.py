"""What is published during a fault run and what came of it: by Kafka, MongoDB and the mailboxes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiokafka import TopicPartition

from clarion.broker import clients
from clarion.contracts import order
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Items, Unstored
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications, sessions
from clarion.store.driver import database
from tests.faults.account import Emission, Said
from tests.faults.publishing import Publishing

USERS: Final = 500
_SETTLED_S: Final = 90.0


def online() -> frozenset[str]:
    return frozenset(f"user-{n}" for n in range(0, USERS, 2))


@dataclass(slots=True)
class Load:
    """Publishes at a steady rate while it is entered, and watches every mailbox."""

    settings: Settings
    rate: float
    lane: Lane
    emissions: list[Emission] = field(default_factory=list[Emission])
    early: set[str] = field(default_factory=set[str])  # went live before they were stored
    also: dict[str, Said] = field(default_factory=dict[str, Said])  # what others published, as Kafka acknowledged it
    _publishing: Publishing = field(init=False)

    def __post_init__(self) -> None:
        self._publishing = Publishing(self.settings, self.rate, lambda number: (f"user-{number % USERS}", self.lane))

    @property
    def published(self) -> dict[str, Said]:
        ours = self._publishing.published
        return ours | self.also if self.also else ours

    @property
    def unsure(self) -> set[str]:
        return self._publishing.unsure

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        connection = database.connect(self.settings)
        here = [sessions.present(user, int(user.removeprefix("user-")) % 8, 1, 1) for user in sorted(online())]
        await sessions.write(sessions.collection(connection), here)
        consumer: Any = clients.mailbox_consumer(self.settings)
        await consumer.start()
        topic = Names(self.settings.prefix).deliveries(self.lane)
        consumer.assign([TopicPartition(topic, n) for n in range(self.settings.partitions_deliveries)])
        await consumer.seek_to_beginning()
        watching = asyncio.create_task(self._watch(consumer))
        try:
            async with self._publishing.running():
                yield
            await self._settled(connection)
        finally:
            watching.cancel()
            failures = await asyncio.gather(watching, return_exceptions=True)
            await clients.stop(consumer)
            database.close(connection)
        for failure in failures:
            if isinstance(failure, Exception):
                raise failure

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
