"""Headers of record batches are read as a broker gives them out: whole batches, one at least, and not always all."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import LeaderNotAvailableError, NotLeaderForPartitionError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.lag.batch_headers import Header, header_of, headers_at

LOG_APPEND_TIME = 0x08
CONTROL = 0x20
_ATTRIBUTES = 22  # where the two bytes of the attributes end


def batch(records: int, at_ms: int, attributes: int = LOG_APPEND_TIME, base: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=False, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=1 << 20,
    )  # fmt: skip
    for offset in range(records):
        builder.append(offset, timestamp=at_ms, key=None, value=b"x", headers=[])
    made = bytearray(builder.build())
    made[0:8] = base.to_bytes(8, "big")
    made[_ATTRIBUTES] |= attributes
    return bytes(made)


class Broker:
    """A client of a broker that has these batches, and puts so many bytes into an answer."""

    def __init__(self, batches: Mapping[Partition, bytes], answer_bytes: int, code: int = 0) -> None:
        self.batches, self.answer_bytes, self.code = batches, answer_bytes, code
        self.fetches = 0
        self.metadata_updates = 0
        self.leader: int | None = 1
        self.cluster = self

    def leader_for_partition(self, _: object) -> int | None:
        return self.leader

    def force_metadata_update(self) -> None:
        self.metadata_updates += 1

    async def send(self, node: int, request: Any) -> Any:
        assert node == 1
        self.fetches += 1
        left, answers = self.answer_bytes, list[Any]()
        for topic, partitions in request.topics:
            told = list[Any]()
            for number, *_ in partitions:
                data = self.batches.get(Partition(topic, number), b"")
                is_first = left == self.answer_bytes
                data = data if is_first or len(data) <= left else b""
                left -= len(data)
                told.append((number, self.code, 0, 0, 0, [], -1, data))
            answers.append((topic, told))
        return SimpleNamespace(topics=answers)


def test_a_header_tells_when_the_broker_took_the_batch() -> None:
    assert header_of(batch(3, 1_700_000_000_000, base=40)) == Header(43, 1_700_000_000_000, is_control=False)


def test_a_producers_stamp_and_a_marker_are_told_apart() -> None:
    assert header_of(batch(1, 5, attributes=0)) == Header(1, None, is_control=False)
    assert header_of(batch(1, 5, LOG_APPEND_TIME | CONTROL)) == Header(1, 5, is_control=True)


def test_what_is_no_whole_header_tells_nothing() -> None:
    whole = batch(1, 5)
    earlier_format = whole[:16] + b"\x01" + whole[17:]
    assert [header_of(data) for data in (b"", whole[:40], earlier_format)] == [None, None, None]


async def test_what_an_answer_left_out_is_asked_for_again() -> None:
    batches = {Partition("t", n): batch(50, n) for n in range(10)}
    broker = Broker(batches, answer_bytes=len(batches[Partition("t", 0)]) * 3)
    found = await headers_at(broker, dict.fromkeys(batches, 0))
    assert {partition: header.appended_ms for partition, header in found.items()} == {p: p.number for p in batches}
    assert broker.fetches == 4


async def test_batches_that_fill_an_answer_each_come_one_by_one() -> None:
    batches = {Partition("t", n): batch(50, n) for n in range(3)}
    broker = Broker(batches, answer_bytes=1)
    assert len(await headers_at(broker, dict.fromkeys(batches, 0))) == 3
    assert broker.fetches == 3


async def test_a_partition_with_nothing_there_ends_the_asking() -> None:
    there, gone = Partition("t", 0), Partition("t", 1)
    broker = Broker({there: batch(1, 7)}, answer_bytes=1_000)
    assert set(await headers_at(broker, {there: 0, gone: 9})) == {there}
    assert broker.fetches == 2


async def test_a_partition_without_a_leader_is_an_error() -> None:
    partition = Partition("t", 0)
    broker = Broker({}, answer_bytes=1_000)
    broker.leader = None
    with pytest.raises(NotLeaderForPartitionError):
        await headers_at(broker, {partition: 0})
    broker = Broker({}, answer_bytes=1_000, code=LeaderNotAvailableError.errno)
    with pytest.raises(LeaderNotAvailableError):
        await headers_at(broker, {partition: 0})
    assert broker.metadata_updates == 1


async def test_what_retention_has_just_removed_is_left_out() -> None:
    broker = Broker({}, answer_bytes=1_000, code=1)
    assert await headers_at(broker, {Partition("t", 0): 3}) == {}
