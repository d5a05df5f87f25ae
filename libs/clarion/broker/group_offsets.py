"""How far consumer groups have come and where partitions end, for processes that wait for the progress of others."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import DescribeGroupsRequest_v2
from aiokafka.protocol.api import Request
from aiokafka.protocol.commit import OffsetFetchRequest

from clarion.broker import clients
from clarion.broker.consuming.commit_tracker import Partition
from clarion.settings import Settings


class Commit(NamedTuple):
    """A committed offset. `generation` is that of its topic; None when an earlier version committed without one."""

    offset: int
    generation: int | None = None


def commit_metadata(generation: int) -> str:
    """Return the metadata of a commit, which says the topic's `generation`."""
    return f"g{generation}"


def commit(offset: int, metadata: str) -> Commit:
    """Return the commit at `offset`. It has a generation only if its `metadata` comes from `commit_metadata`."""
    digits = metadata.removeprefix("g")
    is_ours = metadata != digits and digits.isascii() and digits.isdigit()
    return Commit(offset, int(digits) if is_ours else None)


class Group(NamedTuple):
    """A consumer group: Kafka's name for its state, such as `Stable` or `Empty`, and how many members it has."""

    state: str
    members: int


@asynccontextmanager
async def asking(settings: Settings) -> AsyncGenerator[AIOKafkaAdminClient]:
    """Yield a started admin client, and close it after the block. Raises one of `clients.SEND_ERRORS`."""
    admin = clients.admin(settings)
    try:
        await clients.start(admin)
        yield admin
    finally:
        await admin.close()


async def committed(admin: AIOKafkaAdminClient, groups: Iterable[str]) -> dict[Partition, Commit]:
    """Return the commits of `groups`; partitions without a commit are absent. Raises one of `clients.SEND_ERRORS`."""
    found: dict[Partition, Commit] = {}
    for group in groups:
        coordinator = await admin.find_coordinator(group)
        found |= commits_of(await admin._send_request(question(group), coordinator), group)
    return found


def question(group: str) -> OffsetFetchRequest:
    """Return the request for all commits of a group, which its coordinator answers."""
    return OffsetFetchRequest(group, None)


def commits_of(answer: Any, group: str) -> dict[Partition, Commit]:
    """Return what an answer to `question` tells. Raises KafkaError.

    aiokafka's own method ignores the error of the whole answer, and takes a coordinator that is just starting for one
    that knows of no commits.
    """
    for code in (answer.error_code, *(told[3] for _, some in answer.topics for told in some)):
        if code:
            raise for_code(code)(f"the commits of the consumer group {group} are not known")
    return {
        Partition(topic, number): commit(offset, metadata or "")
        for topic, some in answer.topics
        for number, offset, metadata, *_ in some
        if offset >= 0
    }


class _DescribeGroups(Request[DescribeGroupsRequest_v2]):
    """Asks for consumer groups, in the newest version of which aiokafka 0.14 can read an answer about several."""

    API_KEY = 15

    def __init__(self, groups: Sequence[str]) -> None:
        self._groups = list(groups)

    def build(self, request_struct_class: type[DescribeGroupsRequest_v2]) -> DescribeGroupsRequest_v2:
        return request_struct_class(self._groups)


async def groups_of(admin: AIOKafkaAdminClient, groups: Sequence[str]) -> dict[str, Group]:
    """Return what the brokers know of `groups`; of one that they do not know, that it is `Dead`.

    Raises one of `clients.SEND_ERRORS`.
    """
    coordinated: defaultdict[int, list[str]] = defaultdict(list)
    for group in groups:
        coordinated[await admin.find_coordinator(group)].append(group)
    found: dict[str, Group] = {}
    for coordinator, some in coordinated.items():
        answer: Any = await admin._send_request_to_node(coordinator, _DescribeGroups(some))
        for code, name, state, _, _, members in answer.groups:
            if code:
                raise for_code(code)(f"the consumer group {name} cannot be described")
            found[name] = Group(state, len(members))
    return found


async def ends(settings: Settings, partitions: Sequence[Partition]) -> dict[Partition, int]:
    """Return the offset after the last record of each partition. Raises one of `clients.SEND_ERRORS`."""
    consumer: Any = clients.mailbox_consumer(settings)
    try:
        await clients.start(consumer)
        found: dict[Any, int] = await consumer.end_offsets([TopicPartition(*partition) for partition in partitions])
    finally:
        await clients.stop(consumer)
    return {Partition(tp.topic, tp.partition): offset for tp, offset in found.items()}
