"""The headers of record batches at given offsets: when the broker took them, without unpacking or keeping a record.

A broker answers a fetch with whole batches only. It cuts what it returns of a partition at the bytes that were asked
for, except that the first batch of the whole answer comes whatever its size. So a fetch asks for few bytes of each
partition, which the batches of a lane without a backlog fit into, and what was left out is asked for again, in front.
Each answer has `_ANSWER_BYTES` and one batch at most, and brings one partition at least.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from aiokafka.errors import NotLeaderForPartitionError, OffsetOutOfRangeError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from clarion.broker.consuming.commit_tracker import Partition
from clarion.contracts.limits import KIB

_PARTITION_BYTES: Final = 16 * KIB
_ANSWER_BYTES: Final = 1024 * KIB
_AT_ONCE: Final = 0  # milliseconds to wait, and bytes to wait for
_READ_UNCOMMITTED: Final = 0  # what an open transaction holds up is waiting, too

# Kafka's format of record batches, version 2: base offset, length, leader epoch, magic, checksum, attributes, delta of
# the last offset, first and last timestamp.
_HEADER: Final = struct.Struct(">qiibIhiqq")
_MAGIC: Final = 2
_LOG_APPEND_TIME: Final = 0x08
_CONTROL: Final = 0x20


class Header(NamedTuple):
    """What the header of a batch says.

    `next_offset` is the one after its last record. `appended_ms` is when the broker took it, in milliseconds since
    1970; None if its stamps are its producer's. A batch that `is_control` is Kafka's own marker, and holds no records.
    """

    next_offset: int
    appended_ms: int | None
    is_control: bool


def header_of(data: bytes) -> Header | None:
    """Return the header of the first batch in `data`.

    None when there is none, or in a format before Kafka 0.11.
    """
    if len(data) < _HEADER.size:
        return None
    base, _, _, magic, _, attributes, last_delta, _, last_ms = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        return None
    appended_ms = last_ms if attributes & _LOG_APPEND_TIME else None
    return Header(base + last_delta + 1, appended_ms, bool(attributes & _CONTROL))


async def headers_at(client: Any, offsets: Mapping[Partition, int]) -> dict[Partition, Header]:
    """Return the header of the batch with each of these offsets; what has none, such as an end, is left out.

    `client` is a connected aiokafka client. Raises KafkaError.
    """
    found: dict[Partition, Header] = {}
    left = dict(offsets)
    while left:
        before = len(left)
        for node, some in _by_leader(client, left).items():
            answer = await client.send(node, _request(some))
            for partition, header in _headers(client, answer):
                if header is not None:
                    found[partition] = header
                    left.pop(partition, None)
        if len(left) == before:
            break  # what is left has nothing at its offset any more
    return found


def _by_leader(client: Any, offsets: Mapping[Partition, int]) -> dict[int, dict[Partition, int]]:
    by_leader: dict[int, dict[Partition, int]] = {}
    for partition, offset in offsets.items():
        leader = client.cluster.leader_for_partition(TopicPartition(*partition))
        if leader is None or leader < 0:
            client.force_metadata_update()
            raise NotLeaderForPartitionError(f"{partition.topic} partition {partition.number} has no leader")
        by_leader.setdefault(leader, {})[partition] = offset
    return by_leader


def _request(offsets: Mapping[Partition, int]) -> FetchRequest:
    topics: dict[str, list[tuple[int, int, int]]] = {}
    for partition, offset in offsets.items():
        topics.setdefault(partition.topic, []).append((partition.number, offset, _PARTITION_BYTES))
    return FetchRequest(_AT_ONCE, _AT_ONCE, _ANSWER_BYTES, _READ_UNCOMMITTED, list(topics.items()))


def _headers(client: Any, answer: Any) -> Iterator[tuple[Partition, Header | None]]:
    """Yield each partition of an answer. Raises KafkaError, but not for an offset that retention has just removed."""
    for topic, partitions in answer.topics:
        for number, code, *_, data in partitions:
            error = for_code(code)
            if error is OffsetOutOfRangeError:
                continue
            if code:
                client.force_metadata_update()  # after a change of leaders, the next request goes to the new ones
                raise error(f"{topic} partition {number}")
            yield Partition(topic, number), header_of(data)
