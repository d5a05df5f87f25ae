"""How full the disks of brokers are (KIP-827). aiokafka has no such request, so this module declares it.

Brokers answer it from Kafka 3.3 on.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

_VERSION: Final = 4
_UNKNOWN: Final = -1


class LogDir(NamedTuple):
    """A folder of a broker. `total` and `usable` are bytes of its disk; None where the broker does not tell."""

    broker: int
    path: str
    total: int | None
    usable: int | None


class _DescribeLogDirsResponse(Response):
    API_KEY = 35  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType] - as aiokafka's own do
    API_VERSION = _VERSION  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "results",
            CompactArray(
                ("error_code", Int16),
                ("log_dir", CompactString()),
                (
                    "topics",
                    CompactArray(
                        ("name", CompactString()),
                        (
                            "partitions",
                            CompactArray(
                                ("partition_index", Int32),
                                ("partition_size", Int64),
                                ("offset_lag", Int64),
                                ("is_future_key", Boolean),
                                ("tags", TaggedFields),
                            ),
                        ),
                        ("tags", TaggedFields),
                    ),
                ),
                ("total_bytes", Int64),
                ("usable_bytes", Int64),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _DescribeLogDirsRequestV4(RequestStruct):
    API_KEY = 35
    API_VERSION = _VERSION
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _DescribeLogDirsResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic", CompactString()), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)),
        ),
        ("tags", TaggedFields),
    )


class _DescribeLogDirsRequest(Request[_DescribeLogDirsRequestV4]):
    API_KEY = 35

    def build(self, request_struct_class: type[_DescribeLogDirsRequestV4]) -> _DescribeLogDirsRequestV4:
        return request_struct_class([], {})  # of no topic: only the folders


async def describe(admin: AIOKafkaAdminClient, brokers: Sequence[int]) -> list[LogDir]:
    """Return the folders of each of `brokers`. Raises KafkaError, or NotImplementedError when a broker is too old."""
    found: list[LogDir] = []
    for broker in brokers:
        answer: Any = await admin._send_request_to_node(broker, _DescribeLogDirsRequest())
        if answer.error_code:
            raise for_code(answer.error_code)(f"the folders of broker {broker} cannot be read")
        for _, path, _, total, usable, *_ in answer.results:
            found.append(LogDir(broker, path, *(None if size == _UNKNOWN else size for size in (total, usable))))
    return found
