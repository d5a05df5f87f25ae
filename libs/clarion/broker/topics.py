"""Make the declared topics, or check that the broker has them as declared."""

from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from clarion.broker import clients
from clarion.contracts.topics import Names, Topic, declare
from clarion.settings import Settings


def declared(settings: Settings) -> list[Topic]:
    return declare(
        Names(settings.prefix),
        lane_partitions=settings.partitions_lane,
        delivery_partitions=settings.partitions_deliveries,
    )


async def apply(settings: Settings) -> list[str]:
    """Create what is missing; return what was created. Existing topics are left as they are: `check` tells."""
    topics = declared(settings)
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        answer: Any = await admin.create_topics(
            [NewTopic(t.name, t.partitions, settings.replication, topic_configs=dict(t.config)) for t in topics]
        )
    finally:
        await admin.close()
    created: list[str] = []
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if code == 0:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise error(f"topic {name}: {message}")
    return created


async def check(settings: Settings) -> list[str]:
    """What differs from the declaration; empty when the broker is as it should be.

    Partition counts decide which partition a recipient's notifications are in, and retention how long a redelivery may
    come after what it was of, so a difference is an error, not a hint.
    """
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        return await _differences(admin, declared(settings), settings.replication)
    finally:
        await admin.close()


async def _differences(admin: AIOKafkaAdminClient, topics: Sequence[Topic], replication: int) -> list[str]:
    found = {t["topic"]: t for t in await admin.describe_topics([t.name for t in topics])}
    configs = await _configs(admin, topics)
    differences: list[str] = []
    for topic in topics:
        description = found.get(topic.name)
        if description is None or description["error_code"] or topic.name not in configs:
            differences.append(f"{topic.name} is missing: run `clarion topics apply`")
            continue
        partitions = description["partitions"]
        if len(partitions) != topic.partitions:
            differences.append(
                f"{topic.name} has {len(partitions)} partitions, {topic.partitions} are declared: "
                "set CLARION_PARTITIONS_* to the broker's, or make the topic anew (its generation rises by itself)"
            )
        replicas = min((len(p["replicas"]) for p in partitions), default=0)
        if replicas < replication:
            differences.append(f"{topic.name} has {replicas} replicas, {replication} are declared")
        config = configs[topic.name]
        differences += [
            f"{topic.name} has {name}={config.get(name)}, {value} is declared: alter it with kafka-configs"
            for name, value in topic.config.items()
            if config.get(name) != value
        ]
    return differences


async def _configs(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    """What the declared settings of each of `topics` are on the broker; those that are missing are left out."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, t.name, configs=dict.fromkeys(t.config)) for t in topics]
    answers: list[Any] = await admin.describe_configs(asked)
    configs: dict[str, dict[str, str]] = {}
    for code, message, _, topic, entries in (resource for answer in answers for resource in answer.resources):
        if code == 0:
            configs[topic] = {name: value for name, value, *_ in entries}
        elif (error := for_code(code)) is not UnknownTopicOrPartitionError:
            raise error(f"topic {topic}: {message}")
    return configs
