"""Producers of another family: librdkafka, by `confluent-kafka`. They run in threads, since that client blocks."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import confluent_kafka
from confluent_kafka import KafkaException, Producer

from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.faults.strangers.records import Bad, Good, Record

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
_FLUSH_S: Final = 30.0
_TRANSACTION_S: Final = 20.0


@dataclass(slots=True)
class Place:
    """Where the broker put a record."""

    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class Sent:
    """What the broker acknowledged: valid records by id, bad ones by their place, and how many it refused itself."""

    good: dict[str, Good] = field(default_factory=dict[str, Good])
    bad: dict[tuple[str, int, int], Bad] = field(default_factory=dict[tuple[str, int, int], Bad])
    undone: set[str] = field(default_factory=set[str])  # ids in transactions that were aborted
    retracted: set[str] = field(default_factory=set[str])  # ids that were taken back, as ingest has accepted
    kept: set[str] = field(default_factory=set[str])  # ids that ingest accepted, for users who are not there
    refused: int = 0

    def note(self, record: Record, place: Place | None) -> None:
        if place is None:
            self.refused += 1
        elif isinstance(record, Good):
            self.good[record.id] = record
        elif isinstance(record, Bad):
            self.bad[place.topic, place.partition, place.offset] = record


async def send(settings: Settings, records: Iterable[Record], sent: Sent, *, codec: str = "none") -> None:
    """Produce `records` and wait until the broker has answered for each."""
    await asyncio.to_thread(_send, settings, list(records), sent, codec)


async def transaction(
    settings: Settings, name: str, records: Iterable[Record], sent: Sent, *, commit: bool, open_s: float = 0.0
) -> None:
    """Produce `records` in one transaction, committed or aborted once the broker has had them all for `open_s`."""
    await asyncio.to_thread(_transaction, settings, name, list(records), sent, commit, open_s)


def _send(settings: Settings, records: list[Record], sent: Sent, codec: str) -> None:
    producer = Producer(_config(settings) | {"compression.type": codec})
    for record in records:
        _produce(producer, settings, record, sent.note)
    if left := producer.flush(_FLUSH_S):
        raise TimeoutError(f"{left} records of a stranger were not answered for")


def _transaction(settings: Settings, name: str, records: list[Record], sent: Sent, commit: bool, open_s: float) -> None:
    producer = Producer(_config(settings) | {"transactional.id": f"{settings.prefix}{name}"})
    producer.init_transactions(_TRANSACTION_S)
    producer.begin_transaction()
    found = Sent()
    for record in records:
        _produce(producer, settings, record, found.note)
    producer.flush(_FLUSH_S)
    time.sleep(open_s)
    if commit:
        producer.commit_transaction(_TRANSACTION_S)
        sent.good |= found.good
        sent.bad |= found.bad
    else:
        producer.abort_transaction(_TRANSACTION_S)
        sent.undone |= found.good.keys()


def _config(settings: Settings) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.kafka,
        "linger.ms": 20,
        "message.max.bytes": 1_000_000,
        "message.timeout.ms": 20_000,
        "log_level": 2,  # a broker that is busy is no news
    }


def _produce(
    producer: Producer, settings: Settings, record: Record, note: Callable[[Record, Place | None], None]
) -> None:
    def answered(error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message) -> None:
        if error is not None:
            note(record, None)
            return
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        note(record, Place(topic, partition, offset))

    options: dict[str, Any] = {"partition": record.partition} if record.partition >= 0 else {}
    if record.timestamp:
        options["timestamp"] = record.timestamp
    topic = record.topic_at(Names(settings.prefix))
    while True:
        try:
            producer.produce(
                topic, record.value, record.key, on_delivery=answered, headers=list(record.headers), **options
            )
        except BufferError:
            producer.poll(0.1)  # its own queue is full: the answers that have come make room
            continue
        except KafkaException:
            note(record, None)  # the client itself refuses it
        break
    producer.poll(0)
