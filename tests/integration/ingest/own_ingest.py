"""An ingest in the process of the test, and what it has put on Kafka."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from clarion.process import Process
from clarion.security.tokens import mint
from clarion.settings import Settings
from clarion.telemetry.health import Health
from services.ingest.main import main
from tests.conftest import until
from tests.subprocesses import free_port

ONE = "/v1/notifications"
GOOD = {"type": "call.missed", "message": "x", "recipient": "bob"}


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[tuple[str, Process]]:
    """Ingest in this loop, on a free port, drained at the end."""
    settings = msgspec.structs.replace(settings, port=free_port())
    process = Process(settings, Health("ingest"))
    serving = asyncio.create_task(main(process))
    url = f"http://127.0.0.1:{settings.port}"
    try:
        await until(lambda: process.health.started or serving.done())
        yield url, process
    finally:
        process.stop()
        async with asyncio.timeout(30):
            await serving


async def kafka_is_up(process: Process) -> None:
    await until(lambda: process.health.dependency("kafka").up)


async def until_accepted(c: httpx2.AsyncClient, within_s: float = 60.0) -> None:
    """Publish until it is 202.

    A broker that has just started may have partitions without a leader. The answer is 503 until then, and no other.
    """

    async def is_accepted() -> bool:
        answer = await c.post(ONE, json=GOOD)
        assert answer.status_code in {202, 503}, answer.text
        return answer.status_code == 202

    await until(is_accepted, within_s)


def publisher(url: str, settings: Settings, *, scope: str = "publish", ttl_s: float = 600) -> httpx2.AsyncClient:
    token = mint(settings, sub="svc", scope=scope, ttl_s=ttl_s)
    return httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=15, trust_env=False)


async def records(settings: Settings, lane: Lane = Lane.NORMAL) -> dict[str, tuple[int, Notification]]:
    """Everything in a lane's topic now: id → its partition and content."""
    topic = Names(settings.prefix).notifications(lane)
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(settings.partitions_lane)]
        consumer.assign(partitions)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        found: dict[str, tuple[int, Notification]] = {}
        async with asyncio.timeout(20):
            while any([await consumer.position(partition) < end for partition, end in ends.items()]):
                for partition, batch in (await consumer.getmany(timeout_ms=200)).items():
                    for record in batch:
                        item = notification.decode(record.value)
                        assert record.key == item.recipient.encode()
                        found[str(item.id)] = partition.partition, item
        return found
    finally:
        await consumer.stop()
