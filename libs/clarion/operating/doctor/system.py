"""What the checks share: settings, and connections that are each opened once, and closed after the last check."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from aiokafka.admin import AIOKafkaAdminClient

from clarion.broker import clients
from clarion.operating import processes
from clarion.operating.doctor.check import Skip
from clarion.operating.processes import ProcessView
from clarion.settings import Settings
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.telemetry.health import Unanswered

Client = TypeVar("Client")

_CONNECT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class System:
    """The system that is looked at. `environ` is what the settings were read from, and `id` a notification's, or ""."""

    settings: Settings
    environ: Mapping[str, str]
    id: str
    kafka_asked: "asyncio.Future[AIOKafkaAdminClient]"
    consumer_asked: "asyncio.Future[Any]"
    database_asked: "asyncio.Future[Database]"
    processes_asked: "asyncio.Future[list[ProcessView]]"

    async def kafka(self) -> AIOKafkaAdminClient:
        """Return a started admin client. Raises `Skip` when Kafka does not answer, which the check `broker` tells."""
        try:
            return await asyncio.shield(self.kafka_asked)
        except clients.SEND_ERRORS as error:
            raise Skip("Kafka does not answer: see the check `broker`") from error

    async def consumer(self) -> Any:
        """Return a started consumer, for questions about offsets and not for reading. Raises `Skip` as `kafka` does."""
        try:
            return await asyncio.shield(self.consumer_asked)
        except clients.SEND_ERRORS as error:
            raise Skip("Kafka does not answer: see the check `broker`") from error

    async def database(self) -> Database:
        """Return MongoDB. Raises `Skip` when it does not answer, which the check `replica-set` tells."""
        try:
            return await asyncio.shield(self.database_asked)
        except Unanswered as error:
            raise Skip("MongoDB does not answer: see the check `replica-set`") from error

    async def processes(self) -> Sequence[ProcessView]:
        """Return what all processes say. Raises `Skip` when nobody has said where they are."""
        views = await asyncio.shield(self.processes_asked)
        if not views:
            raise Skip("CLARION_PROCESSES names no process: set it to the admin ports of all processes")
        return views

    async def answering(self) -> Sequence[ProcessView]:
        """Return what those processes say whose metrics came. Raises `Skip` when there is none."""
        views = [view for view in await self.processes() if view.samples]
        if not views:
            raise Skip("no process answers at /metrics: see the check `health`")
        return views


@asynccontextmanager
async def opened(settings: Settings, environ: Mapping[str, str], id_: str = "") -> AsyncGenerator[System]:
    """Yield the system, with all connections being opened at once. A check waits for those only that it needs."""
    admin, consumer, stored = clients.admin(settings), clients.mailbox_consumer(settings), database.connect(settings)
    system = System(
        settings,
        environ,
        id_,
        kafka_asked=asyncio.ensure_future(_started(admin)),
        consumer_asked=asyncio.ensure_future(_started(consumer)),
        database_asked=asyncio.ensure_future(_answering(stored)),
        processes_asked=asyncio.ensure_future(processes.ask_all(settings)),
    )
    asked = (system.kafka_asked, system.consumer_asked, system.database_asked, system.processes_asked)
    try:
        yield system
    finally:
        # not cancelled: each has a deadline, and aiokafka would leave connections open
        await asyncio.gather(*asked, return_exceptions=True)
        await asyncio.gather(clients.stop(consumer), admin.close(), return_exceptions=True)
        database.close(stored)


async def _started(client: Client) -> Client:
    await clients.start(client, within_s=_CONNECT_S)
    return client


async def _answering(stored: Database) -> Database:
    await database.probe(stored)
    return stored
