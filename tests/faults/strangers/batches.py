"""Record batches made by hand, for what no client library lets through, such as header names that are not UTF-8."""

from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record import util
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from clarion.broker import clients
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.faults.strangers.librdkafka import Place, Sent
from tests.faults.strangers.records import Record

PLACEHOLDER: Final = "xxxx"
_CRC_AT: Final = 17  # of a batch: KIP-98, message format 2; what follows from byte 21 on is what it is of
_CHECKED_FROM: Final = 21
_TIMEOUT_MS: Final = 10_000


async def send(settings: Settings, records: list[Record], sent: Sent, *, header: bytes = b"\xff\xfe\xfd\xfc") -> None:
    """Send each record in a batch of its own, with a header whose name is `header`, of as many bytes as PLACEHOLDER."""
    producer = clients.producer(settings)
    await producer.start()
    try:
        for number, record in enumerate(records):
            topic = Names(settings.prefix).notifications(record.lane)
            partition = number % len(await producer.partitions_for(topic))
            offset = await _produce(producer, topic, partition, _batch(record, header))
            sent.note(record, None if offset is None else Place(topic, partition, offset))
    finally:
        await producer.stop()


def _batch(record: Record, header: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=2**16,
    )
    builder.append(0, timestamp=None, key=record.key, value=record.value, headers=[(PLACEHOLDER, b"")])
    batch = bytearray(builder.build())
    at = batch.rindex(PLACEHOLDER.encode())
    batch[at : at + len(header)] = header
    batch[_CRC_AT:_CHECKED_FROM] = util.calc_crc32c(bytes(batch[_CHECKED_FROM:])).to_bytes(4, "big")
    return bytes(batch)


async def _produce(producer: AIOKafkaProducer, topic: str, partition: int, batch: bytes) -> int | None:
    """The offset it was given; None when the broker refuses it."""
    client: Any = producer.client
    node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
    answer: Any = await client.send(node, ProduceRequest(None, -1, _TIMEOUT_MS, [(topic, [(partition, batch)])]))
    [(_, [(_, code, offset, *_)])] = answer.topics
    if code:
        assert not for_code(code).retriable, f"the broker was not ready: {for_code(code).__name__}"
        return None
    return offset
