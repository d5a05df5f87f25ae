"""Create or grow the declared topics, or check that the broker has them as declared."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from clarion.broker import clients
from clarion.contracts.topics import Names, Topic, declare, enough
from clarion.settings import Settings


def declared(settings: Settings) -> list[Topic]:
    """Return the topics that Clarion needs with these settings."""
    return declare(
        Names(settings.prefix),
        lane_partitions=settings.partitions_lane,
        delivery_partitions=settings.partitions_deliveries,
        replication=settings.replication,
    )


async def apply(settings: Settings) -> list[str]:
    """Create the topics that are missing, and return their names. `check` tells how existing ones differ."""
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
            raise error(f"the topic {name} cannot be created: {message}")
    return created


async def grow(settings: Settings, name: str, partitions: int) -> int:
    """Give the topic `name` more partitions, `partitions` in all, and return how many it had.

    Changes nothing when it has that many already. Raises `CannotGrow`, or one of `clients.SEND_ERRORS`.
    """
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        (description,) = await admin.describe_topics([name])
        if description["error_code"]:
            raise CannotGrow(f"{name} is missing: run `clarion topics apply`")
        before = len(description["partitions"])
        if before > partitions:
            raise CannotGrow(f"{name} has {before} partitions, and Kafka cannot take any away: give {before} or more")
        if partitions != enough(before, partitions):
            raise CannotGrow(
                f"{name} has {before} partitions: give a multiple of that, such as {enough(before, partitions)}, "
                "so that each recipient's order is kept"
            )
        if before < partitions:
            await admin.create_partitions({name: NewPartitions(partitions)})
        return before
    finally:
        await admin.close()


class CannotGrow(Exception):
    """The topic cannot be given that many partitions; the message says why."""


class Checked(NamedTuple):
    """How the broker's topics differ from their declaration."""

    differences: list[str]  # in words, with what to do about each
    grown: dict[str, int]  # partitions of each topic that has more than declared, which alone is no difference


async def check(settings: Settings) -> Checked:
    """Compare the broker's topics with their declaration.

    A difference is an error: the number of partitions decides how many workers can share a topic, and retention decides
    how late a record may be delivered again.
    """
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        return await _differences(admin, settings)
    finally:
        await admin.close()


async def _differences(admin: AIOKafkaAdminClient, settings: Settings) -> Checked:
    topics, replication, names = declared(settings), settings.replication, Names(settings.prefix)
    mailboxes = (names.deliveries_urgent, names.deliveries_bulk)
    found = {t["topic"]: t for t in await admin.describe_topics([t.name for t in topics])}
    configs = await _configs(admin, topics)
    differences: list[str] = []
    grown: dict[str, int] = {}
    for topic in topics:
        description = found.get(topic.name)
        if description is None or description["error_code"] or topic.name not in configs:
            differences.append(f"{topic.name} is missing: run `clarion topics apply`")
            continue
        partitions = description["partitions"]
        if len(partitions) < topic.partitions:
            short = topic.name.removeprefix(settings.prefix)
            differences.append(
                f"{topic.name} has {len(partitions)} partitions, but {topic.partitions} are declared: "
                f"run `clarion topics grow {short} {enough(len(partitions), topic.partitions)}`, or set "
                f"CLARION_PARTITIONS_* to {len(partitions)}"
            )
        elif len(partitions) > topic.partitions and topic.name in mailboxes:
            differences.append(
                f"{topic.name} has {len(partitions)} partitions, but {topic.partitions} are declared, and no gateway "
                f"uses the others: set CLARION_PARTITIONS_DELIVERIES to {len(partitions)}"
            )
        elif len(partitions) > topic.partitions:
            grown[topic.name] = len(partitions)
        replicas = min((len(p["replicas"]) for p in partitions), default=0)
        if replicas < replication:
            differences.append(f"{topic.name} has {replicas} replicas, but CLARION_REPLICATION is {replication}")
        config = configs[topic.name]
        differences += [
            f"{topic.name} has {name}={config.get(name)}, but {value} is declared: alter it with kafka-configs"
            for name, value in topic.config.items()
            if config.get(name) != value
        ]
    return Checked(differences, grown)


async def _configs(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    """Return the broker's values of the settings that `topics` declare; topics that are missing are left out."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, t.name, configs=dict.fromkeys(t.config)) for t in topics]
    answers: list[Any] = await admin.describe_configs(asked)
    configs: dict[str, dict[str, str]] = {}
    for code, message, _, topic, entries in (resource for answer in answers for resource in answer.resources):
        if code == 0:
            configs[topic] = {name: value for name, value, *_ in entries}
        elif (error := for_code(code)) is not UnknownTopicOrPartitionError:
            raise error(f"the settings of the topic {topic} cannot be read: {message}")
    return configs
