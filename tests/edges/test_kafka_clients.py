"""Each way to secure Kafka works for every kind of client, and a client that may not come in is told why."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from clarion.broker import clients, topics
from clarion.broker.group_offsets import asking
from clarion.client import KafkaSecurity, Publisher
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.edges.kafka_server import PASSWORD, USER, SecuredKafka

Secured = Callable[[SecuredKafka, Path], Settings]


def login(listener: str, mechanism: str) -> Secured:
    def secured(kafka: SecuredKafka, folder: Path) -> Settings:
        file = folder / "password"
        file.write_text(f"{PASSWORD}\n")
        return kafka.settings(listener, kafka_user=USER, kafka_mechanism=mechanism, kafka_password_file=str(file))

    return secured


def mutual(kafka: SecuredKafka, folder: Path) -> Settings:
    client = kafka.authority.issue(USER)
    return kafka.settings("MUTUAL", kafka_cert_file=str(client.cert), kafka_key_file=str(client.key))


WAYS: Final[Mapping[str, Secured]] = {
    "own authority": lambda kafka, _: kafka.settings("TLS"),
    "mutual TLS": mutual,
    "SCRAM-SHA-512 in the clear": login("LOGIN", "SCRAM-SHA-512"),
    "SCRAM-SHA-256 over TLS": login("SECURE", "SCRAM-SHA-256"),
    "SCRAM-SHA-512 over TLS": login("SECURE", "SCRAM-SHA-512"),
    "PLAIN over TLS": login("SECURE", "PLAIN"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_kind_of_client_comes_in(way: str, kafka: SecuredKafka, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(WAYS[way](kafka, tmp_path), prefix=f"t{new_id()[-8:]}-")
    settings.kafka_security.check()
    await topics.apply(settings)
    topic = Names(settings.prefix).notifications(Lane.NORMAL)
    security = settings.kafka_security
    async with Publisher.kafka(settings.kafka, sender="s", prefix=settings.prefix, security=security) as publisher:
        await publisher.publish(recipient="ann", type="t", message=way)
    async with clients.producer(settings) as producer:
        await clients.send_all(producer, [{"topic": topic, "value": b"{}", "partition": 0}])
    assert await end(clients.observing_consumer(settings), topic) == 2
    assert await end(clients.mailbox_consumer(settings), topic) == 2
    async with asking(settings) as admin:
        await admin.delete_topics([topic.name for topic in topics.declared(settings)])


async def end(consumer: Any, topic: str) -> int:
    try:
        await clients.start(consumer)
        return sum((await consumer.end_offsets([TopicPartition(topic, number) for number in range(2)])).values())
    finally:
        await clients.stop(consumer)


@pytest.mark.parametrize(
    ("listener", "changed", "told"),
    [
        ("TLS", {"kafka_ca_file": ""}, r"its certificate is not trusted .* see CLARION_KAFKA_CA_FILE"),
        ("MUTUAL", {}, r"TLS failed .*; see CLARION_KAFKA_PROTOCOL and CLARION_KAFKA_CERT_FILE"),
        ("SECURE", {"kafka_user": USER, "kafka_password": "wrong"}, "user or password are refused; see CLARION_KAFKA_"),
        ("SECURE", {"kafka_user": "nobody", "kafka_password": PASSWORD}, "user or password are refused"),
        ("LOGIN", {"kafka_protocol": "PLAINTEXT"}, "it ended the connection; see whether CLARION_KAFKA_PROTOCOL"),
        ("TLS", {"kafka": "localhost:{PLAINTEXT}"}, "it ended the connection; see whether CLARION_KAFKA_PROTOCOL"),
    ],
    ids=["no authority", "no certificate", "wrong password", "unknown user", "no login", "no TLS"],
)
async def test_who_may_not_come_in_is_told_why(
    kafka: SecuredKafka, listener: str, changed: dict[str, str], told: str
) -> None:
    given = {name: value.format_map(kafka.ports) if name == "kafka" else value for name, value in changed.items()}
    admin = clients.admin(kafka.settings(listener, **given), within_s=5)
    try:
        with pytest.raises(KafkaConnectionError, match=told) as caught:
            await clients.start(admin, within_s=15)
    finally:
        await admin.close()
    assert PASSWORD not in str(caught.value)
    assert "wrong" not in str(caught.value)


async def test_a_certificate_for_another_host_is_refused(kafka: SecuredKafka) -> None:
    admin = clients.admin(kafka.settings("TLS", kafka=f"localhost:{kafka.ports['TLS']}"), within_s=5)
    try:
        with pytest.raises(KafkaConnectionError, match="not valid for 'localhost'"):
            await clients.start(admin, within_s=15)
    finally:
        await admin.close()


async def test_security_that_is_incomplete_is_refused_by_the_sdk() -> None:
    with pytest.raises(ValueError, match="CLARION_KAFKA_USER is missing"):
        Publisher.kafka("localhost:9092", sender="s", security=KafkaSecurity(protocol="SASL_SSL", password=PASSWORD))
