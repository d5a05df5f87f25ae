"""The arm to beat: the bare sequential loop on aiokafka, one `getmany` of 500 after another."""

from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer

from clarion.broker import clients
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import indexes
from clarion.store.driver import database
from tests.bench.stream.plain import LANE, store_and_emit


async def main() -> None:
    settings = Settings.from_env()
    names, connection = Names(settings.prefix), database.connect(settings)
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
        records = [record for batch in fetched.values() for record in batch]
        if records:
            await store_and_emit(records, connection, producer, names)
            await consumer.commit()


if __name__ == "__main__":
    uvloop.run(main())
