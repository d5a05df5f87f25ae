"""Topic ids: they tell a topic from another one of the same name that was made after it was deleted (KIP-516).

aiokafka has metadata requests up to version 5, and ids come with version 10. So this module declares version 12 with
aiokafka's own types. Brokers answer it from Kafka 3.1 on.
"""

import random
from io import BytesIO
from typing import Any, Final, NamedTuple
from uuid import UUID

from aiokafka.errors import UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

_NO_ID: Final = UUID(int=0)


class TopicState(NamedTuple):
    """A topic as the broker has it now. `id` is a UUID in its usual text form, `partitions` their number."""

    id: str
    partitions: int


class _Uuid(AbstractType[UUID]):
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


class _MetadataResponse(Response):
    API_KEY = 3  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType] - as aiokafka's own do
    API_VERSION = 12  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString()),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestV12(RequestStruct):
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV12]):
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        return request_struct_class([(_NO_ID, self._topic, {})], False, False, {})


async def describe(client: Any, topic: str) -> TopicState | None:
    """Return what one of the brokers knows of `topic`; None while there is no such topic.

    `client` is a connected aiokafka client. Raises KafkaError when the broker does not answer, and NotImplementedError
    when it is too old to know topic ids.
    """
    broker = random.choice(list(client.cluster.brokers()))  # noqa: S311 - any broker will do
    answer: Any = await client.send(broker.nodeId, _MetadataRequest(topic))
    ((code, _, id_, _, partitions, *_),) = answer.topics
    error = for_code(code)
    if error is UnknownTopicOrPartitionError:
        return None
    if code:
        raise error(topic)
    return TopicState(str(id_), len(partitions))
