"""Read the records of an unpacked batch one by one, so that a malformed one costs none of its neighbours. Pure.

aiokafka gives up a whole batch at the first header whose name is not UTF-8.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from aiokafka.record import util

from clarion.broker.consuming.unpacking import HEADER_BYTES, Header

decode_varint: Callable[[memoryview, int], tuple[int, int]] = cast("Any", util).decode_varint


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A record with the attributes that a record of aiokafka has."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


def records_of(plain: memoryview, header: Header) -> Iterator[tuple[Salvaged, str]]:
    """Yield each record with its error, which is empty for a good one. The value of a malformed one is all its bytes.

    Ends early at a record whose length is damaged, since what follows cannot be found.
    """
    at, offset = HEADER_BYTES, header.base_offset
    while offset < header.next_offset:
        try:
            size, start = decode_varint(plain, at)
        except (ValueError, IndexError):
            return
        at = start + size
        if size <= 0 or at > len(plain):
            return
        body = plain[start:at]
        try:
            record, error = _record(body, header), ""
        except (ValueError, IndexError) as raised:
            record, error = Salvaged(offset, 0, 0, None, bytes(body), []), f"the record is malformed: {raised}"
        yield record, error
        offset = record.offset + 1


def _record(body: memoryview, header: Header) -> Salvaged:
    """Return the record in `body`. Raises ValueError or IndexError when it is malformed."""
    later, at = decode_varint(body, 1)  # the first byte is for attributes, of which Kafka has defined none
    timestamp = header.max_timestamp if header.has_append_time else header.first_timestamp + later
    delta, at = decode_varint(body, at)
    if not 0 <= delta <= header.last_offset_delta:
        raise ValueError("the offset of the record is outside its batch")
    key, at = _bytes(body, at)
    value, at = _bytes(body, at)
    count, at = decode_varint(body, at)
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name, at = _bytes(body, at)
        content, at = _bytes(body, at)
        headers.append(((name or b"").decode(errors="backslashreplace"), content))
    if at != len(body):
        raise ValueError("the record is longer than its key, value and headers")
    return Salvaged(header.base_offset + delta, timestamp, int(header.has_append_time), key, value, headers)


def _bytes(body: memoryview, at: int) -> tuple[bytes | None, int]:
    size, at = decode_varint(body, at)
    if size < 0:
        return None, at
    if at + size > len(body):
        raise ValueError("the record ends within its key, value or headers")
    return bytes(body[at : at + size]), at + size
