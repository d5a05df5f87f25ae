"""Deliveries that are gone from Kafka before a gateway has read them: everybody catches up from the store."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from websockets.asyncio.client import ClientConnection

from clarion.broker import clients
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.driver.database import Document
from tests.gateways import frame, gateway, greeted, wire
from tests.integration.gateway.delivery.emissions import document, emission

pytestmark = pytest.mark.slow

FETCH_S = 1.0  # longer than a fetch that is under way waits at the broker


async def received(socket: ClientConnection, count: int) -> list[str]:
    """What the next `count` items say; each frame is acknowledged."""
    said: list[str] = []
    while len(said) < count:
        batch = await frame(socket, "batch")
        said += [item["message"] for item in batch["items"]]
        await socket.send(f'{{"op":"ack","tag":{batch["tag"]}}}')
    return said


@pytest.mark.parametrize("lane", [Lane.URGENT, Lane.LOW])
async def test_after_an_overrun_the_store_is_read_then_it_is_live(
    lane: Lane, settings: Settings, tmp_path: Path
) -> None:
    topic, connection = Names(settings.prefix).deliveries(lane), database.connect(settings)
    async with (
        gateway(settings, tmp_path) as own,
        clients.producer(settings) as producer,
        wire(own.url, mint(settings, sub="ann", scope=SUBSCRIBE)) as ann,
        wire(own.url, mint(settings, sub="bob", scope=SUBSCRIBE)) as bob,
    ):
        await asyncio.gather(greeted(ann), greeted(bob))
        mailbox = (await own.figures())["mailbox"]

        async def emit(documents: Sequence[Document]) -> None:
            """As a lane does it: stored first."""
            await notifications.collection(connection).insert_many(documents)
            for one in documents:
                await producer.send_and_wait(topic, emission(one), partition=mailbox)

        await emit([document(user, 1, lane=lane) for user in ("ann", "bob")])
        assert [await received(socket, 1) for socket in (ann, bob)] == [["1"], ["1"]]
        own.process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(FETCH_S)
            await emit([document(user, ord_, lane=lane) for ord_ in range(2, 102) for user in ("ann", "bob")])
            await _let_go(settings, TopicPartition(topic, mailbox))
        finally:
            own.process.send_signal(signal.SIGCONT)
        missed = [str(ord_) for ord_ in range(2, 102)]
        assert await asyncio.gather(received(ann, 100), received(bob, 100)) == [missed, missed]
        await emit([document("ann", 102, lane=lane)])
        assert await received(ann, 1) == ["102"]
        said = own.log.read_text()
    assert "the position in the mailbox is not retained any more" in said
    assert "the lease of the mailbox is lost" not in said
    database.close(connection)


async def _let_go(settings: Settings, partition: TopicPartition) -> None:
    """Delete every record, as the broker does when their time is over."""
    consumer: Any = clients.mailbox_consumer(settings)
    await consumer.start()
    end = (await consumer.end_offsets([partition]))[partition]
    await clients.stop(consumer)
    admin = clients.admin(settings)
    await admin.start()
    try:
        await admin.delete_records({partition: RecordsToDelete(end)})
    finally:
        await admin.close()
