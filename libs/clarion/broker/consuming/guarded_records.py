"""Turn fetched batches into records, for every consumer in the process. `Unreadable` stands for what cannot be read.

When a batch cannot be read, aiokafka raises the error out of the fetch and stays at the batch's offset. One batch in an
unknown codec, or one byte that changed on a disk, would stop its partition until somebody moves the offset by hand.
"""

import struct
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn, cast

from aiokafka.consumer import fetcher
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.structs import TopicPartition

from clarion.broker.consuming.salvage import records_of
from clarion.broker.consuming.unpacking import HEADER_BYTES, Header, unpacked
from clarion.contracts.limits import UNPACKED_BYTES

_FRAME: Final = struct.Struct(">qi")  # base offset, and the length of what follows
_MAGIC_AT: Final = 16
_MAGIC: Final = 2
_CODEC: Final = 0x07
_LEGACY_ATTRIBUTES_AT: Final = 17
_LEGACY_BYTES: Final = 26
_MOST_RECORDS: Final = 1 << 20  # in one batch; a header that says more is damaged
_SUSPECTS: Final = 1_000  # batches with a wrong checksum that are remembered

_READ_COMMITTED: Final = 1


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands for offsets `offset` to `last` of a partition, which cannot be read; `error` says why.

    `value` is what the broker has there, and `timestamp` is when it was read, in milliseconds since 1970.
    """

    offset: int
    last: int
    value: bytes
    error: str
    timestamp: int
    key: None = None
    headers: tuple[()] = ()


@dataclass(slots=True)
class Allowance:
    """How many more bytes may be unpacked before the records read so far are handed over."""

    left: int = UNPACKED_BYTES


class Batches:
    """The batches of one partition in a fetch response. aiokafka's own class, which it replaces, hides their bytes."""

    def __init__(self, response: bytes) -> None:
        self._response = memoryview(response)
        self._at = 0
        self._next = self._slice()

    def size_in_bytes(self) -> int:
        """Return the size of the partition's part of the response."""
        return len(self._response)

    def has_next(self) -> bool:
        """Return whether a complete batch is left."""
        return self._next is not None

    def next_batch(self) -> memoryview:
        """Return the bytes of the next batch, as a view. Call it only while `has_next`."""
        batch = self._next
        assert batch is not None
        self._next = self._slice()
        return batch

    def next_offset(self) -> int | None:
        """Return the offset of the batch that follows; None at the end of the response."""
        return None if self._next is None else _base_offset(self._next)

    def _slice(self) -> memoryview | None:
        left = len(self._response) - self._at
        if left < _FRAME.size:
            return None
        _, length = _FRAME.unpack_from(self._response, self._at)
        if length < 0 or _FRAME.size + length > left:  # brokers cut the last batch off where the response is full
            return None
        start, self._at = self._at, self._at + _FRAME.size + length
        return self._response[start : self._at]


class GuardedRecords(fetcher.PartitionRecords):
    """aiokafka's reader of one partition's part of a response, made to go on after what it cannot read."""

    _suspects: ClassVar[set[tuple[str, int, int]]] = set()

    _records: Batches
    _tp: TopicPartition

    def _unpack_records(self) -> Generator[Any, Any, None]:
        batches = self._records
        allowance = self._allowance()
        while batches.has_next():
            if allowance.left <= 0:
                return  # the rest is fetched again
            batch = batches.next_batch()
            if not _is_modern(batch):
                yield from self._legacy(batch)
                continue
            header = Header.of(batch)
            whole: Any = DefaultRecordBatch(batch)
            if self._check_crcs and not whole.validate_crc():
                if self._is_new_suspect(header):
                    return
                yield self._unreadable(batch, _end(header, batches), "the batch's checksum is wrong")
                continue
            if self._is_hidden(header, whole):
                self.next_fetch_offset = header.next_offset
                continue
            plain = batch
            try:
                plain = unpacked(batch, header)
                allowance.left -= len(plain)
                end = header.next_offset
                for record in whole if plain is batch else cast("Any", DefaultRecordBatch(plain)):
                    offset = record.offset
                    if self.next_fetch_offset <= offset < end:
                        self.next_fetch_offset = offset + 1
                        yield self._consumer_record(self._tp, record)
                    elif offset >= end:
                        _refuse_offset()
            except Exception as error:  # noqa: BLE001 - whatever error a batch causes, its partition goes on
                if plain is not batch or not header.is_packed:
                    yield from self._salvage(plain, header)
                if self.next_fetch_offset < header.next_offset:
                    yield self._unreadable(batch, header.next_offset, f"{error} (codec: {header.codec})")
            self.next_fetch_offset = header.next_offset

    def _allowance(self) -> Allowance:
        """Return how much may be unpacked: here each reader has an allowance of its own."""
        return Allowance()

    def _salvage(self, plain: memoryview, header: Header) -> Iterator[Any]:
        """Yield, one by one, the records from the first that aiokafka cannot parse."""
        for record, error in records_of(plain, header):
            if record.offset < self.next_fetch_offset:
                continue
            if error:
                yield self._unreadable(record.value or b"", record.offset + 1, error)
            else:
                self.next_fetch_offset = record.offset + 1
                yield self._consumer_record(self._tp, record)

    def _legacy(self, batch: memoryview) -> Iterator[Any]:
        """Yield the record of a message in a format before Kafka 0.11; `Unreadable` if it is compressed or unknown."""
        end = max(_base_offset(batch), self.next_fetch_offset) + 1
        error = "the message format is unknown"
        magic = batch[_MAGIC_AT] if len(batch) >= _LEGACY_BYTES else -1
        if magic in (0, 1):
            error = "the message is compressed in a format from before Kafka 0.11, which is not read"
            if not batch[_LEGACY_ATTRIBUTES_AT] & _CODEC:
                try:
                    (record,) = cast("Any", LegacyRecordBatch(batch, magic))
                except Exception as raised:  # noqa: BLE001 - whatever error a message causes, its partition goes on
                    error = f"{raised}"
                else:
                    if record.offset >= self.next_fetch_offset:
                        self.next_fetch_offset = end
                        yield self._consumer_record(self._tp, record)
                    return
        yield self._unreadable(batch, end, error)

    def _is_hidden(self, header: Header, batch: Any) -> bool:
        """Return whether the batch is one of Kafka's own markers, or belongs to an aborted transaction."""
        if self._isolation_level == _READ_COMMITTED and header.producer_id >= 0:
            self._consume_aborted_up_to(header.base_offset)
            if header.is_control and _ends_aborted(batch):
                self._aborted_producers.discard(header.producer_id)
            elif header.is_transactional and header.producer_id in self._aborted_producers:
                return True
        return header.is_control

    def _is_new_suspect(self, header: Header) -> bool:
        """Return whether this batch has a wrong checksum for the first time. Then it is fetched again.

        It may have been damaged on its way from the broker.
        """
        suspect = (self._tp.topic, self._tp.partition, header.base_offset)
        if suspect in self._suspects:
            self._suspects.discard(suspect)
            return False
        if len(self._suspects) >= _SUSPECTS:
            self._suspects.clear()
        self._suspects.add(suspect)
        return True

    def _unreadable(self, value: "memoryview | bytes", end: int, error: str) -> Unreadable:
        """Return what stands for the offsets before `end`, and go on at `end`."""
        first, last = self.next_fetch_offset, max(end - 1, self.next_fetch_offset)
        self.next_fetch_offset = last + 1
        return Unreadable(first, last, bytes(value), error, int(time.time() * 1000))


def guard_records() -> None:
    """Make every consumer of this process read with `GuardedRecords`, for which aiokafka has no setting.

    Services do so. The Python SDK never does, since it shares its process with other consumers.
    """
    parts: Any = fetcher
    parts.MemoryRecords = Batches
    if not issubclass(parts.PartitionRecords, GuardedRecords):
        parts.PartitionRecords = GuardedRecords


def _base_offset(batch: memoryview) -> int:
    return _FRAME.unpack_from(batch)[0]


def _is_modern(batch: memoryview) -> bool:
    return len(batch) >= HEADER_BYTES and batch[_MAGIC_AT] == _MAGIC


def _end(header: Header, batches: Batches) -> int:
    """Return the offset after a damaged batch. Its header may be wrong, and no readable record may be skipped."""
    following = batches.next_offset()
    if following is not None and following > header.base_offset:
        return following
    return header.next_offset if 0 <= header.last_offset_delta < _MOST_RECORDS else header.base_offset + 1


def _refuse_offset() -> NoReturn:
    raise ValueError("the offset of a record is outside its batch")


def _ends_aborted(batch: Any) -> bool:
    try:
        return ControlRecord.parse(next(batch).key) == ABORT_MARKER
    except Exception:  # noqa: BLE001 - an unknown marker, as of a later Kafka, ends no transaction
        return False
