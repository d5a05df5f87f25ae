"""Attempts at Kafka and MongoDB that a server refuses to whoever may not do that, and that change nothing otherwise."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.new_topic import NewTopic
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from pymongo.errors import OperationFailure

from clarion.broker.group_offsets import asking
from clarion.settings import Settings
from clarion.store.driver import database
from clarion.store.driver.database import Collection

_REFUSED: Final = {29, 30, 31}  # what Kafka says of a topic, a group or the cluster that somebody may not use
_UNAUTHORIZED: Final = 13
_NOWHERE: Final = 9_999  # a partition that no topic has: whoever may write is told so, and nothing is written
THERE: Final = "attempt"  # the `_id` of a document that is in each collection

Attempt = Callable[[AIOKafkaAdminClient, str], Awaitable[int]]


def _batch() -> bytes:
    """A batch that is whole: Kafka looks at that before it asks who may write."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1_024)
    assert builder.append(0, 0, None, b"attempt", []) is not None
    return bytes(builder.build())


async def _write(admin: AIOKafkaAdminClient, topic: str) -> int:
    answer: Any = await admin._send_request(ProduceRequest(None, -1, 5_000, [(topic, [(_NOWHERE, _batch())])]))
    [(_, [(_, code, *_)])] = answer.topics
    return code


async def _read(admin: AIOKafkaAdminClient, topic: str) -> int:
    answer: Any = await admin._send_request(FetchRequest(0, 0, 1_024, 0, [(topic, [(0, 0, 1_024)])]))
    [(_, [(_, code, *_)])] = answer.topics
    return code


async def _create(admin: AIOKafkaAdminClient, topic: str) -> int:
    answer: Any = await admin.create_topics([NewTopic(topic, 1, 1)])
    [(_, code, *_)] = answer.topic_errors
    return code


async def _describe_configs(admin: AIOKafkaAdminClient, topic: str) -> int:
    answers: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return answers[0].resources[0][0]


async def _join(admin: AIOKafkaAdminClient, group: str) -> int:
    answer: Any = await admin._send_request(HeartbeatRequest(group, 1, "nobody"))
    return answer.error_code


async def _describe(admin: AIOKafkaAdminClient, group: str) -> int:
    answer: Any = await admin._send_request(OffsetFetchRequest(group, None))
    return answer.error_code


# What each operation on a topic or a group is tried by.
ATTEMPTS: Final[Mapping[tuple[str, str], Attempt]] = {
    ("topic", "WRITE"): _write,
    ("topic", "READ"): _read,
    ("topic", "CREATE"): _create,
    ("topic", "DESCRIBE_CONFIGS"): _describe_configs,
    ("group", "READ"): _join,
    ("group", "DESCRIBE"): _describe,
}


async def is_allowed(settings: Settings, wanted: list[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Which of these the user of `settings` may do, each a resource, its name and an operation."""
    async with asking(settings) as admin:
        return {
            (resource, name, operation)
            for resource, name, operation in wanted
            if await ATTEMPTS[resource, operation](admin, name) not in _REFUSED
        }


async def _insert(stored: Collection) -> object:
    return await stored.insert_one({"_id": THERE})  # there is one already


async def _find(stored: Collection) -> object:
    return await stored.find_one({"_id": THERE})


async def _update(stored: Collection) -> object:
    return await stored.update_one({"_id": "nobody"}, {"$set": {"attempt": 1}})


async def _remove(stored: Collection) -> object:
    return await stored.delete_one({"_id": "nobody"})


async def _create_index(stored: Collection) -> object:
    return await stored.create_index("_id")  # each has that one


ACTIONS: Final[Mapping[str, Callable[[Collection], Awaitable[object]]]] = {
    "insert": _insert,
    "find": _find,
    "update": _update,
    "remove": _remove,
    "createIndex": _create_index,
}


async def allowed_actions(settings: Settings, collections: list[str]) -> set[tuple[str, str]]:
    """Which actions on which collections the user of `settings` may do."""
    async with _connected(settings) as stored:
        return {
            (name, action) for name in collections for action, do in ACTIONS.items() if await _may(do(stored[name]))
        }


async def _may(doing: Awaitable[object]) -> bool:
    try:
        await doing
    except OperationFailure as error:
        return error.code != _UNAUTHORIZED
    return True


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncGenerator[Any]:
    stored = database.connect(settings)
    try:
        yield stored
    finally:
        database.close(stored)
