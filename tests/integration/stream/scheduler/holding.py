"""What the scheduler holds, and how it comes there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2

from clarion.broker import clients
from clarion.client import Subscriber
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from clarion.store import scheduled
from clarion.store.driver.database import Database
from tests.conftest import until

SOON = timedelta(seconds=2)
Subscribe = Callable[[str], Subscriber]


async def held(stored: Database, id_: str) -> str | None:
    document = await scheduled.collection(stored).find_one({"_id": id_}, ["state"])
    return document["state"] if document else None


async def is_held(stored: Database, id_: str, state: str = "waiting") -> None:
    async def check() -> bool:
        return await held(stored, id_) == state

    await until(check)


def sender(live: Settings, name: str = "tests", scope: str = PUBLISH) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {mint(live, sub=name, scope=scope)}"}
    return httpx2.AsyncClient(
        base_url=f"{live.ingest_url}/v1/notifications", headers=headers, timeout=15, trust_env=False
    )


async def produce(live: Settings, topic: str, *records: dict[str, Any]) -> None:
    producer = clients.producer(live)
    await producer.start()
    try:
        await clients.send_all(producer, ({"topic": topic} | record for record in records))
    finally:
        await producer.stop()


def bare(user: str, message: str = "x", **fields: Any) -> bytes:
    return notification.encode(Notification(type="t", message=message, recipient=user, sender="s", **fields))
