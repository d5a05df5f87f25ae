"""What the running system has stored, and what it writes to its topics."""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer

from clarion.contracts.records import receipts
from clarion.contracts.records.notification import Invalid
from clarion.contracts.records.receipts import Receipt
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from tests.conftest import until


async def states(stored: Database, ids: list[str]) -> list[State | None]:
    found = await notifications.find(notifications.collection(stored), ids)
    return [found[id_].state if id_ in found else None for id_ in ids]


@asynccontextmanager
async def reading(live: Settings, topic: str) -> AsyncGenerator[Any]:
    """A consumer of a whole topic from its beginning."""
    consumer: Any = AIOKafkaConsumer(topic, bootstrap_servers=live.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def next_receipt(consumer: Any) -> Receipt:
    """Other tests write malformed ones to the same topic: those are passed over."""
    while True:
        with contextlib.suppress(Invalid):
            return receipts.decode((await consumer.getone()).value)


async def expires(stored: Database, id_: str) -> None:
    """Wait until it is stored as expired, and that is told on `receipts`."""

    async def is_announced() -> bool:
        document = await notifications.collection(stored).find_one({"_id": id_})
        return bool(document and document["state"] == State.EXPIRED and "unannounced" not in document)

    await until(is_announced)
