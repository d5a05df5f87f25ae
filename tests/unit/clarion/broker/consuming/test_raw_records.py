"""A process with consumers of several topics: what one may still unpack is nothing to the others."""

from typing import Any

from aiokafka.structs import TopicPartition

from clarion.broker.consuming.guarded_records import Batches
from clarion.broker.consuming.raw_records import _RawRecords, allow
from tests.unit.clarion.broker.consuming.batches import batch


def taken(topic: str, *parts: bytes) -> list[bytes]:
    reading: Any = _RawRecords(TopicPartition(topic, 0), Batches(b"".join(parts)), [], 0, None, None, True, 1)
    return [record.value for record in reading]


def test_each_topic_has_an_allowance_of_its_own() -> None:
    size = len(batch([b"a"]))
    allow(["receipts"], size)
    allow(["dead-letters"], 3 * size)
    parts = [batch([b"a"], 0), batch([b"b"], 1), batch([b"c"], 2)]
    assert taken("receipts", *parts) == [b"a"]  # the rest is fetched again
    assert taken("receipts", *parts) == []
    assert taken("dead-letters", *parts) == [b"a", b"b", b"c"]
    allow(["receipts"], 2 * size)
    assert taken("receipts", *parts) == [b"a", b"b"]
