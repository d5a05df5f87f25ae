"""Asks whether Kafka answers, for the health of a process."""

import random
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from clarion.telemetry.health import Unanswered


async def probe(through: AIOKafkaProducer) -> None:
    """Ask the brokers of a producer, in random order, until one answers. Raises `Unanswered` when none does."""
    await ask_brokers(through.client)


async def ask_brokers(client: Any) -> None:
    """Ask the brokers that a connected client of aiokafka knows, as `probe` does.

    The request names no topic: decoding an answer about all topics of a large cluster would block the event loop at
    each probe.
    """
    failure = KafkaError("no broker is known")
    brokers = list(client.cluster.brokers())
    random.shuffle(brokers)
    for broker in brokers:
        try:
            await client.send(broker.nodeId, MetadataRequest([]))
        except KafkaError as error:
            failure = error
        else:
            return
    raise Unanswered("no broker answers") from failure
