"""Create or grow the declared topics, or check that the broker has them as declared."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from clarion.broker import clients
from clarion.contracts.topics import Names, Topic, declare, enough
from clarion.settings import Settings

_KNOWN_WITHIN_S: Final = 30.0  # a broker learns of a new topic in milliseconds; in seconds while it is busy or starts
_ASK_EVERY_S: Final = 0.1


def declared(settings: Settings) -> list[Topic]:
    """Return the topics that Clarion needs with these settings."""
    return declare(
        Names(settings.prefix),
        lane_partitions=settings.partitions_lane,
        delivery_partitions=settings.partitions_deliveries,
        replication=settings.replication,
    )


async def describe(admin: AIOKafkaAdminClient, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the brokers know of these topics; one that is missing has an `error_code`.

    Raises one of `clients.SEND_ERRORS`.
    """
    answer: Any = await admin._send_request(question(names))
    return answer.to_object()["topics"]


def question(names: Iterable[str]) -> MetadataRequest:
    """Return the request for what a broker knows of these topics, which makes none that is missing.

    aiokafka's own requests have a broker with `auto.create.topics.enable` make the missing ones, with one partition
    each, and a lane ends where its topic has so few.
    """
    return MetadataRequest(list(names), allow_auto_topic_creation=False)


async def apply(settings: Settings) -> list[str]:
    """Create the topics that are missing, wait until a broker knows them, and return their names.

    `check` tells how existing ones differ. Raises one of `clients.SEND_ERRORS`.
    """
    topics = declared(settings)
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        answer: Any = await admin.create_topics(
            [NewTopic(t.name, t.partitions, settings.replication, topic_configs=dict(t.config)) for t in topics]
        )
        created = _created(answer.topic_errors)
        if created:
            await _until_known(admin, created)
        return created
    finally:
        await admin.close()


def _created(answers: Iterable[Any]) -> list[str]:
    """Return the names of the topics that are new."""
    created: list[str] = []
    for name, code, *message in answers:
        error = for_code(code)
        if code == 0:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise error(f"the topic {name} cannot be created: {message}")
    return created


async def _until_known(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Wait until a broker knows these topics: the controller, which makes them, answers before it does.

    Raises `TimeoutError`, or one of `clients.SEND_ERRORS`.
    """
    ends_at = time.monotonic() + _KNOWN_WITHIN_S
    while unknown := [topic["topic"] for topic in await describe(admin, names) if topic["error_code"]]:
        if time.monotonic() > ends_at:
            raise TimeoutError(f"after {_KNOWN_WITHIN_S:g} s brokers do not know of {', '.join(unknown)}")
        await asyncio.sleep(_ASK_EVERY_S)


async def grow(settings: Settings, name: str, partitions: int) -> int:
    """Give the topic `name` more partitions, `partitions` in all, and return how many it had.

    Changes nothing when it has that many already. Raises `CannotGrow`, or one of `clients.SEND_ERRORS`.
    """
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        (description,) = await describe(admin, [name])
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
    found = {t["topic"]: t for t in await describe(admin, [t.name for t in topics])}
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
