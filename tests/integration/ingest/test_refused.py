"""What Kafka refuses for good must not silence who sent it: an idempotent producer's numbers have a gap then."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from clarion.broker import clients, topics
from clarion.broker.keyed_producer import send_keyed
from clarion.broker.send_each import send_each
from clarion.client import Publisher, Unavailable
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names, Topic
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database
from tests.conftest import until
from tests.subprocesses import child, env_of, free_port

LANE = Lane.NORMAL
LARGE = b"x" * 2_000


@asynccontextmanager
async def taking_little(settings: Settings, topic: str, most: int = 100) -> AsyncGenerator[None]:
    """`topic` takes batches of so many bytes only, while the block runs."""
    admin = clients.admin(settings)
    await admin.start()

    async def alter(size: int) -> None:
        configs = {"max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])

        async def is_known() -> bool:
            return await topics._configs(admin, [Topic(topic, 1, configs)]) == {topic: configs}

        await until(is_known)
        await asyncio.sleep(0.5)  # the broker's logs hear of it right after its metadata

    try:
        await alter(most)
        yield
        await alter(256 * 1024)
    finally:
        await admin.close()


async def test_a_partition_takes_records_again_after_one_was_refused(settings: Settings) -> None:
    topic, renewed = Names(settings.prefix).receipts, list[str]()
    async with clients.producer(settings, on_renewed=renewed.append) as producer:
        for _ in range(3):
            await producer.send_and_wait(topic, b"small", partition=0)
            await producer.send_and_wait(topic, b"small", partition=1)
            async with taking_little(settings, topic):
                with pytest.raises(MessageSizeTooLargeError):
                    await producer.send_and_wait(topic, LARGE, partition=0)
                assert producer.refused() == f"Kafka refuses what is sent to {topic}: MessageSizeTooLargeError"
            await producer.send_and_wait(topic, b"small", partition=0)
            assert producer.refused() == ""
            await producer.send_and_wait(topic, b"small", partition=1)
    assert renewed == ["MessageSizeTooLargeError"] * 3


async def test_each_cause_of_a_refusal_is_outlived(settings: Settings) -> None:
    """Also one that concerns the sequence numbers themselves."""
    topic = Names(settings.prefix).receipts
    async with clients.producer(settings) as producer:
        await producer.send_and_wait(topic, b"first", partition=0)
        producer._txn_manager.increment_sequence_number(TopicPartition(topic, 0), 5)
        with pytest.raises(OutOfOrderSequenceNumber):
            await producer.send_and_wait(topic, b"after a gap", partition=0)
        await producer.send_and_wait(topic, b"second", partition=0)


async def test_sequence_numbers_begin_again_after_the_last_one(settings: Settings) -> None:
    topic = Names(settings.prefix).receipts
    async with clients.producer(settings) as producer:
        producer._txn_manager.increment_sequence_number(TopicPartition(topic, 0), (1 << 31) - 3)
        for _ in range(3):
            await clients.send_all(producer, [{"topic": topic, "partition": 0, "value": b"x"}] * 2)
        assert producer.refused() == ""
        assert producer._txn_manager.sequence_number(TopicPartition(topic, 0)) == 3


async def test_epochs_that_are_used_up_end_in_another_producer_id(settings: Settings) -> None:
    topic = Names(settings.prefix).receipts
    async with clients.producer(settings) as producer:
        await producer.send_and_wait(topic, b"first", partition=0)
        identity: Any = producer._txn_manager
        before = identity.producer_id
        identity._pid_and_epoch = identity._pid_and_epoch._replace(epoch=(1 << 15) - 1)
        identity._sequence_numbers.clear()
        async with taking_little(settings, topic):
            with pytest.raises(MessageSizeTooLargeError):
                await producer.send_and_wait(topic, LARGE, partition=0)
        await producer.send_and_wait(topic, b"second", partition=0)
        assert identity.producer_id != before


async def test_a_sender_that_fails_begins_anew(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = Names(settings.prefix).receipts
    async with clients.producer(settings) as producer:
        await producer.send_and_wait(topic, b"before", partition=0)
        accumulator: Any = producer._message_accumulator
        drain, failures = accumulator.drain_by_nodes, iter([True])

        def drain_or_fail(*args: Any, **kwargs: Any) -> Any:
            if next(failures, False):
                raise KeyError("a fault of aiokafka's")
            return drain(*args, **kwargs)

        monkeypatch.setattr(accumulator, "drain_by_nodes", drain_or_fail)
        with pytest.raises(KafkaError):
            await producer.send_and_wait(topic, b"first", partition=0)
        await producer.send_and_wait(topic, b"second", partition=0)


async def test_only_the_record_that_is_too_large_is_refused(settings: Settings) -> None:
    topic = Names(settings.prefix).receipts
    records = [{"topic": topic, "partition": 0, "value": value} for value in (b"a" * 200, LARGE, b"b" * 200)]
    async with clients.producer(settings) as producer:
        async with taking_little(settings, topic, 500):
            refused = await send_each(producer, records)
        assert [one.record for one in refused] == [records[1]]
        await send_keyed(producer, topic, [("ann", b"x")])


async def test_ingest_outlives_a_refusal_and_its_health_names_it(settings: Settings) -> None:
    port, admin = free_port(), free_port()
    env = env_of(settings) | {"CLARION_PORT": str(port), "CLARION_ADMIN_PORT": str(admin)}
    headers = {"Authorization": f"Bearer {mint(settings, sub='s', scope=PUBLISH)}"}
    body = {"type": "t", "message": "x" * 200, "recipient": "ann"}
    async with (
        child(("-m", "clarion.cli", "ingest"), env),
        httpx2.AsyncClient(trust_env=False, timeout=15, headers=headers) as http,
    ):

        async def post() -> int:
            return (await http.post(f"http://127.0.0.1:{port}/v1/notifications", json=body)).status_code

        async def is_up() -> bool:
            try:
                return await post() == 202
            except httpx2.TransportError:
                return False

        await until(is_up)
        async with taking_little(settings, Names(settings.prefix).notifications(LANE)):
            assert await post() == 503
            health = (await http.get(f"http://127.0.0.1:{admin}/health")).json()
            assert health["status"] == "degraded"
            assert "MessageSizeTooLargeError" in str(health)
            ready = await http.get(f"http://127.0.0.1:{admin}/healthz/ready")
            assert ready.status_code == 200
        assert [await post() for _ in range(3)] == [202, 202, 202]

        async def is_well() -> bool:
            return (await http.get(f"http://127.0.0.1:{admin}/health")).json()["status"] == "ok"

        await until(is_well)


async def test_a_kafka_publisher_outlives_a_refusal_and_says_why(settings: Settings) -> None:
    submission: dict[str, Any] = {"type": "t", "message": "x" * 200, "recipient": "ann"}
    async with Publisher.kafka(settings.kafka, sender="s", prefix=settings.prefix) as publisher:
        await publisher.publish(**submission)
        async with taking_little(settings, Names(settings.prefix).notifications(LANE)):
            with pytest.raises(Unavailable, match="MessageSizeTooLarge"):
                await publisher.publish(**submission)
        await publisher.publish(**submission)


@pytest.mark.slow
async def test_a_lane_goes_on_past_a_record_that_cannot_be_sent_on(settings: Settings, own: Database) -> None:
    """It came to the wrong lane partition while the topic took more: it is a dead letter, and others are stored."""
    names = Names(settings.prefix)
    topic = names.notifications(LANE)

    def record(message: str, partition: int) -> dict[str, Any]:
        item = Notification(
            type="t", message=message, recipient="ann", sender="s", priority=LANE, created_at=times.now()
        )
        return {"topic": topic, "partition": partition, "key": b"ann", "value": notification.encode(item)}

    async with clients.producer(settings) as producer:
        for partition in range(settings.partitions_lane):
            await producer.send_and_wait(**record("x" * 1_000, partition))  # astray in all but one
        env = env_of(settings) | {"CLARION_ADMIN_PORT": "0"}
        async with (
            taking_little(settings, topic, 600),
            child(("-m", "clarion.cli", "stream", "--role", "lane", "--lane", LANE), env),
        ):
            stored = notifications.collection(own)
            await until(lambda: stored.find_one({}))
            consumer: Any = clients.mailbox_consumer(settings)
            await consumer.start()
            try:
                places = [TopicPartition(names.dead_letters, number) for number in range(4)]

                async def all_dead() -> bool:
                    ends = await consumer.end_offsets(places)
                    return sum(ends.values()) == settings.partitions_lane - 1

                await until(all_dead)
                for partition in range(settings.partitions_lane):
                    await producer.send_and_wait(**record("small", partition))

                async def all_stored() -> bool:
                    return await stored.count_documents({}) == 1 + settings.partitions_lane

                await until(all_stored)
            finally:
                await consumer.stop()
