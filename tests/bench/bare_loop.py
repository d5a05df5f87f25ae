"""The arm to compare with: what a lane does, as the plainest loop on aiokafka, one window after another."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer

from clarion.broker import clients
from clarion.broker.commit_tracker import Partition
from clarion.broker.record_batches import RecordBatch
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import database, indexes, notifications, sessions
from services.stream.decoding import decode_window
from services.stream.emitting import item_records
from services.stream.packing import address

LANE = Lane.LOW


async def main() -> None:
    settings = Settings.from_env()
    names, connection = Names(settings.prefix), database.connect(settings)
    stored, here = notifications.collection(connection), sessions.collection(connection)
    await indexes.ensure(connection)
    producer = clients.producer(settings)
    consumer: Any = AIOKafkaConsumer(
        names.notifications(LANE),
        bootstrap_servers=settings.kafka,
        group_id=names.group("bare"),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await producer.start()
    await consumer.start()
    while True:
        fetched = await consumer.getmany(timeout_ms=100, max_records=500)
        batches = [RecordBatch(Partition(tp.topic, tp.partition), records, 0, 0) for tp, records in fetched.items()]
        if not batches:
            continue
        now = times.now()
        entries = decode_window(batches, LANE, 0, now).entries.values()
        await notifications.insert(stored, [entry.document(LANE, now) for entry in entries])
        items = [address(e.notification.recipient, LANE, e.ord, e.id, e.body) for e in entries]
        mailboxes = await sessions.route(here, list({item.recipient for item in items}))
        await clients.send_all(producer, item_records(names, LANE, items, mailboxes))
        await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main())
