"""Batches as a broker would hand them to a consumer, and what goes wrong with them."""

import struct
from collections.abc import Sequence
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from clarion.broker.consuming.guarded_records import Batches, GuardedRecords

PARTITION = TopicPartition("notifications.normal", 3)


def batch(
    values: Sequence[bytes],
    first: int = 0,
    *,
    codec: int = 0,
    producer: int = -1,
    headers: Sequence[tuple[str, bytes]] = (),
    transactional: bool = False,
) -> bytes:
    builder: Any = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0, 0, 1 << 30)
    for number, value in enumerate(values):
        builder.append(number, 1_000 + number, b"ann", value, list(headers))
    built = bytearray(builder.build())
    struct.pack_into(">q", built, 0, first)
    return bytes(built)


def packed(payload: bytes, codec: int, records: int, first: int = 0) -> bytes:
    """A batch whose header is in order, with whatever payload."""
    built = bytearray(batch([b""] * records, first)[:61]) + payload
    built[22] = codec
    return resealed(built)


def resealed(built: bytearray) -> bytes:
    """With its length and checksum set anew."""
    struct.pack_into(">i", built, 8, len(built) - 12)
    struct.pack_into(">I", built, 17, calc_crc32c(bytes(built[21:])))
    return bytes(built)


def read(*parts: bytes, at: int = 0, aborted: Sequence[tuple[int, int]] = (), committed: bool = True) -> Any:
    """What aiokafka makes of a response, as `clarion` has it read."""
    return GuardedRecords(PARTITION, Batches(b"".join(parts)), aborted, at, None, None, True, int(committed))
