"""A lane as a process of its own, and what it reads and emits."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from confluent_kafka import Producer

from clarion.broker import clients
from clarion.contracts import times
from clarion.contracts.limits import UNPACKED_BYTES
from clarion.contracts.records import notification
from clarion.contracts.records.deliveries import Delivery
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import mailboxes
from services.gateway.mailbox.reader import MailboxReader
from tests.subprocesses import child, env_of

USER = "ann"
WITHIN_S = 120.0  # a lane starts first


def lane_process(settings: Settings, admin_port: int = 0) -> contextlib.AbstractAsyncContextManager[Any]:
    env = env_of(settings) | {"CLARION_ADMIN_PORT": str(admin_port)}
    return child(["-m", "clarion.cli", "stream", "--role", "lane", "--lane", "normal"], env)


def produce(settings: Settings, topic: str, partition: int, values: Iterable[bytes], codec: str = "none") -> None:
    """One batch, by librdkafka."""
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka,
            "compression.type": codec,
            "linger.ms": 200,
            "message.max.bytes": 2 * UNPACKED_BYTES,
        }
    )
    refused: list[object] = []
    for value in values:
        producer.produce(
            topic, value, key=USER.encode(), partition=partition, on_delivery=lambda error, _: refused.append(error)
        )
    assert producer.flush(20) == 0
    assert not any(refused), refused


def notifications_of(messages: Iterable[str]) -> list[bytes]:
    at = times.now()
    return [
        notification.encode(Notification(type="t", message=m, recipient=USER, sender="s", created_at=at))
        for m in messages
    ]


@contextlib.asynccontextmanager
async def mailbox_of(settings: Settings, handled: list[Delivery], lost: list[int]) -> AsyncGenerator[MailboxReader]:
    def handle(delivery: Delivery) -> Iterable[object]:
        handled.append(delivery)
        return ()

    mailbox = MailboxReader(
        mailboxes.Lease(0, "me", 1, 0), Names(settings.prefix), handle, lambda: lost.append(len(handled))
    )
    async with clients.producer(settings) as producer, mailbox.positioned(settings, producer) as consumers:
        tasks = [asyncio.create_task(mailbox.read(consumer)) for consumer in consumers]
        yield mailbox
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
