"""Kafka clients, each setting with its reason."""

import asyncio
import random
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from clarion.broker.consuming.guarded_records import guard_records
from clarion.broker.producing import Producer
from clarion.contracts.limits import KIB
from clarion.settings import Settings
from clarion.telemetry.health import Unanswered

REQUEST_S: Final = 20.0
METADATA_AGE_MS: Final = 10_000  # partitions that a topic was given are known then; the default is five minutes
SESSION_S: Final = 10.0  # Faust's 60 s would stall urgent for a minute after a crash
HEARTBEAT_S: Final = 3.0
FETCH_WAIT_MS: Final = 1_000  # a broker with nothing to tell answers then; that was half of what an idle gateway cost
_CANCELLED_S: Final = 1.0  # what is cancelled has no longer to end
PARTITION_FETCH_BYTES: Final = 512 * KIB
ISOLATION: Final = "read_committed"  # of every consumer: what its producer took back must reach nobody

# A future of an idempotent producer fails only by refusal: aiokafka retries a batch for ever while the broker is away.
SEND_ERRORS: Final[tuple[type[Exception], ...]] = (KafkaError, TimeoutError)


def producer(settings: Settings, *, linger_ms: int = 0) -> Producer:
    """An idempotent producer: retries after a lost acknowledgement do not duplicate records (KIP-98)."""
    return Producer(
        bootstrap_servers=settings.kafka,
        linger_ms=linger_ms,
        # one record may have 1 MiB (dead letters); a full batch blocks send(), so small batches would throttle
        max_batch_size=256 * KIB,
        max_request_size=1200 * KIB,
        request_timeout_ms=int(REQUEST_S * 1000),
        metadata_max_age_ms=METADATA_AGE_MS,
        retry_backoff_ms=100,
    )


def mailbox_consumer(settings: Settings) -> AIOKafkaConsumer:
    """A consumer that is assigned by hand and belongs to no group. It tells `Unreadable` in place of records.

    `auto_offset_reset="none"`: a position outside retention must be seen, not jumped over silently.
    """
    guard_records()
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=ISOLATION,
        request_timeout_ms=int(REQUEST_S * 1000),
        metadata_max_age_ms=METADATA_AGE_MS,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=1024 * KIB,
        retry_backoff_ms=100,
    )


async def start(client: Any, *, within_s: float = REQUEST_S) -> None:
    """Start a producer, consumer or admin client. Raises one of SEND_ERRORS.

    aiokafka forgets the first connection, open, when it is cancelled while it asks there for the brokers: so what is
    no longer wanted may still get that answer, within `_CANCELLED_S`. The caller stops the client in any case.
    """
    starting: asyncio.Future[None] = asyncio.ensure_future(client.start())
    starting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # whoever waits may be gone
    try:
        async with asyncio.timeout(within_s):
            await asyncio.wait([starting])
    finally:
        if not starting.done():
            await asyncio.wait([starting], timeout=_CANCELLED_S)
            starting.cancel()
            await asyncio.wait([starting], timeout=_CANCELLED_S)
    starting.result()


async def stop(consumer: Any) -> None:
    """Stop a consumer, and nothing else. Raises what its stopping raises, or TimeoutError.

    When one of its fetches has just failed, aiokafka cancels that fetch's pause and lets the cancellation out, which
    looks like the caller's own; and leaves its connections open.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    try:
        async with asyncio.timeout(REQUEST_S):
            await asyncio.wait([stopping])
    finally:
        if not stopping.done():
            stopping.cancel()
            await asyncio.wait([stopping], timeout=_CANCELLED_S)
        if stopping.cancelled():
            await consumer._client.close()
    if not stopping.cancelled():
        stopping.result()


def admin(settings: Settings) -> AIOKafkaAdminClient:
    return AIOKafkaAdminClient(bootstrap_servers=settings.kafka, request_timeout_ms=int(REQUEST_S * 1000))


async def send_all(
    through: AIOKafkaProducer, records: Iterable[dict[str, Any]], *, within_s: float = REQUEST_S
) -> None:
    """Send records (arguments of `AIOKafkaProducer.send`) and wait until all are acknowledged.

    Raises one of SEND_ERRORS; then an unknown part of them may be, or may yet get, on the broker.
    """
    async with asyncio.timeout(within_s):
        futures: list[Any] = [await through.send(**record) for record in records]
        if futures:
            await asyncio.gather(*futures)


async def probe(through: AIOKafkaProducer) -> None:
    """Ask the brokers, in any order, until one answers. Raises `Unanswered` when none does.

    About no topics: reading about all those of a large cluster would hold the event loop up at each probe.
    """
    client: Any = through.client
    failure = KafkaError("no broker is known")
    brokers = list(client.cluster.brokers())
    random.shuffle(brokers)
    for broker in brokers:
        try:
            await client.send(broker.nodeId, MetadataRequest([]))
        except KafkaError as error:
            failure = error
        else:
            return
    raise Unanswered("no broker answers") from failure
