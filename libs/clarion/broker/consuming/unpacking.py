"""Turn a fetched batch into the same batch without compression, within a limit. Pure.

aiokafka unpacks a batch whole, however large it becomes: 4 KiB of zstd can become gigabytes. Here the size is checked
before unpacking where the codec says it, and otherwise unpacking stops at the limit.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import cramjam

from clarion.contracts.limits import KIB, UNPACKED_BYTES

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES: Final = _HEADER.size
_ATTRIBUTES_AT: Final = 22  # of the attributes' low byte, which has the codec
_CODEC: Final = 0x07
_TRANSACTIONAL: Final = 0x10
_CONTROL: Final = 0x20
_LOG_APPEND_TIME: Final = 0x08
_NAMES: Final = ("none", "gzip", "snappy", "lz4", "zstd")

_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16
_DID_NOT_FIT: Final = "failed to write whole buffer"  # cramjam's message, the same for every codec

_codecs = cast("Any", cramjam)


class CannotUnpack(Exception):
    """The batch can never be unpacked; the message says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a batch's header says, in the message format of Kafka 0.11 and later."""

    base_offset: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    records: int

    @classmethod
    def of(cls, batch: memoryview) -> "Header":
        """Parse the header of `batch`."""
        offset, _, _, _, _, attributes, delta, first, latest, producer, _, _, records = _HEADER.unpack_from(batch)
        return cls(offset, attributes, delta, first, latest, producer, records)

    @property
    def next_offset(self) -> int:
        """Return the offset after the batch."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def codec(self) -> str:
        """Return the name of the codec, or its number if Kafka does not have it."""
        number = self.attributes & _CODEC
        return _NAMES[number] if number < len(_NAMES) else f"number {number}"

    @property
    def is_packed(self) -> bool:
        """Return whether the records are compressed."""
        return bool(self.attributes & _CODEC)

    @property
    def is_transactional(self) -> bool:
        """Return whether the batch belongs to a transaction."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """Return whether the batch is one of Kafka's own markers."""
        return bool(self.attributes & _CONTROL)

    @property
    def has_append_time(self) -> bool:
        """Return whether the records have the time at which the broker took them, not the producer's."""
        return bool(self.attributes & _LOG_APPEND_TIME)


def unpacked(batch: memoryview, header: Header, most: int = UNPACKED_BYTES) -> memoryview:
    """Return the batch without compression. Raises `CannotUnpack`, also for more than `most` bytes of records."""
    if not header.is_packed:
        return batch
    packed = batch[HEADER_BYTES:]
    try:
        plain = _unpack(header.codec, packed, most)
    except (cramjam.DecompressionError, zlib.error, struct.error) as error:
        raise CannotUnpack(str(error)) from error
    plain[:HEADER_BYTES] = batch[:HEADER_BYTES]
    plain[_ATTRIBUTES_AT] &= ~_CODEC & 0xFF
    return memoryview(plain)


def _unpack(codec: str, packed: memoryview, most: int) -> bytearray:
    """Return the unpacked records, with room for a header in front of them."""
    match codec:
        case "gzip":
            return bytearray(HEADER_BYTES) + _gzip(packed, most)
        case "snappy":
            return _snappy(packed, most)
        case "lz4":
            return _into_buffer(_codecs.lz4.decompress_into, packed, most)
        case "zstd":
            return _into_buffer(_codecs.zstd.decompress_into, packed, most)
        case _:
            raise CannotUnpack("the batch's codec is unknown")


def _too_large(most: int) -> CannotUnpack:
    return CannotUnpack(f"the batch unpacks to more than {most} bytes: send smaller batches")


def _gzip(packed: memoryview, most: int) -> bytes:
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    plain = stream.decompress(packed, most + 1)
    if len(plain) > most:
        raise _too_large(most)
    if not stream.eof:
        raise CannotUnpack("the gzip stream is cut off")
    return plain


def _snappy(packed: memoryview, most: int) -> bytearray:
    """Unpack the blocks of the Java client's framing, or one block. Each block begins with its unpacked size."""
    blocks = _xerial_blocks(packed) if bytes(packed[: len(_XERIAL)]) == _XERIAL else [packed]
    sizes: list[int] = [_codecs.snappy.decompress_raw_len(block) for block in blocks]
    if sum(sizes) > most:
        raise _too_large(most)
    plain = bytearray(HEADER_BYTES + sum(sizes))
    at = HEADER_BYTES
    for block, size in zip(blocks, sizes, strict=True):
        if size:
            _codecs.snappy.decompress_raw_into(block, memoryview(plain)[at : at + size])
        at += size
    return plain


def _xerial_blocks(packed: memoryview) -> list[memoryview]:
    blocks: list[memoryview] = []
    at = _XERIAL_HEADER_BYTES
    while at < len(packed):
        (size,) = struct.unpack_from(">i", packed, at)
        end = at + 4 + size
        if size < 0 or end > len(packed):
            raise CannotUnpack("a snappy block is cut off")
        blocks.append(packed[at + 4 : end])
        at = end
    return blocks


def _into_buffer(decompress: Callable[[memoryview, memoryview], int], packed: memoryview, most: int) -> bytearray:
    """Unpack into a buffer that suffices for nearly every batch, and if it does not, into the largest one allowed."""
    for room in (min(8 * len(packed) + 4 * KIB, most), most):
        plain = bytearray(HEADER_BYTES + room)
        try:
            size = decompress(packed, memoryview(plain)[HEADER_BYTES:])
        except cramjam.DecompressionError as error:
            if str(error) != _DID_NOT_FIT:
                raise
        else:
            del plain[HEADER_BYTES + size :]
            return plain
    raise _too_large(most)
