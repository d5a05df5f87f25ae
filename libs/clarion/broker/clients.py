"""Kafka clients. Each setting has its reason beside it."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from clarion.broker import security
from clarion.broker.consuming.guarded_records import guard_records
from clarion.broker.producing import Producer
from clarion.contracts.limits import KIB
from clarion.settings import Settings

REQUEST_S: Final = 20.0
METADATA_AGE_MS: Final = 10_000  # how soon clients know of a topic's new partitions; the default is five minutes
SESSION_S: Final = 10.0  # Faust's 60 s would stall urgent for a minute after a crash
HEARTBEAT_S: Final = 0.5  # how soon a worker learns that another one joins or leaves, and stands still for no longer
FETCH_WAIT_MS: Final = 1_000  # a broker without records answers then; such answers were half of an idle gateway's cost
_CANCELLED_S: Final = 1.0  # a start or stop that is cancelled may take this long to end
PARTITION_FETCH_BYTES: Final = 512 * KIB
ISOLATION: Final = "read_committed"  # for every consumer: records of an aborted transaction must reach nobody

# While the broker is away, aiokafka retries an idempotent producer's batch without a limit. The batch's future fails
# only when the broker refuses it, so callers need a timeout of their own: that is the TimeoutError.
SEND_ERRORS: Final[tuple[type[Exception], ...]] = (KafkaError, TimeoutError)


def _uncounted(error: str) -> None:
    """Take the place of a service's metric where there is none: an application that publishes has its own."""


def producer(settings: Settings, *, linger_ms: int = 0, on_renewed: Callable[[str], object] = _uncounted) -> Producer:
    """Return an idempotent producer: retries after a lost acknowledgement duplicate no records (KIP-98).

    `on_renewed` is called with the name of each error after which the producer began a new epoch, or got a new id.
    """
    return Producer(
        on_renewed=on_renewed,
        bootstrap_servers=settings.kafka,
        **security.arguments(settings),
        linger_ms=linger_ms,
        # send() waits while its partition's batch is full, so small batches would slow it down
        max_batch_size=256 * KIB,
        # a dead letter may have 1 MiB
        max_request_size=1200 * KIB,
        request_timeout_ms=int(REQUEST_S * 1000),
        metadata_max_age_ms=METADATA_AGE_MS,
        retry_backoff_ms=100,
    )


def mailbox_consumer(settings: Settings, *, fetch_bytes: int = 1024 * KIB) -> AIOKafkaConsumer:
    """Return a consumer that belongs to no group and is assigned its partitions by hand.

    It fetches up to `fetch_bytes` of each partition at once, and at least one batch.

    It yields `Unreadable` in place of records that cannot be read. `auto_offset_reset="none"` makes a position outside
    retention an error; with any other value aiokafka would skip the lost records without saying so.
    """
    guard_records()
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        **security.arguments(settings),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=ISOLATION,
        request_timeout_ms=int(REQUEST_S * 1000),
        metadata_max_age_ms=METADATA_AGE_MS,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=fetch_bytes,
        retry_backoff_ms=100,
    )


def observing_consumer(settings: Settings) -> AIOKafkaConsumer:
    """Return a consumer that asks where topics begin and end, and reads no records.

    The end is that of all records, those of open transactions included: what such a transaction holds up is waiting.
    """
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        **security.arguments(settings),
        enable_auto_commit=False,
        isolation_level="read_uncommitted",
        request_timeout_ms=int(REQUEST_S * 1000),
        metadata_max_age_ms=METADATA_AGE_MS,
        retry_backoff_ms=100,
    )


async def start(client: Any, *, within_s: float = REQUEST_S) -> None:
    """Start a producer, consumer or admin client. Raises one of `SEND_ERRORS`, which says why none could connect.

    When aiokafka is cancelled while it asks its first broker for the others, it leaves that connection open. So a start
    that is no longer wanted has `_CANCELLED_S` to get the answer before it is cancelled. The caller stops the client in
    any case.
    """
    with security.noting() as noted:
        starting: asyncio.Future[None] = asyncio.ensure_future(client.start())
    # nobody may be waiting any more: an error that is never looked at would be logged by asyncio
    starting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        async with asyncio.timeout(within_s):
            await asyncio.wait([starting])
    finally:
        if not starting.done():
            await asyncio.wait([starting], timeout=_CANCELLED_S)
            starting.cancel()
            await asyncio.wait([starting], timeout=_CANCELLED_S)
    try:
        starting.result()
    except KafkaConnectionError as error:
        raise KafkaConnectionError("; ".join(noted) or security.in_words(error)) from error


async def stop(consumer: Any) -> None:
    """Stop a consumer. Raises what its own stop raises, or TimeoutError after `REQUEST_S`.

    When one of the consumer's fetches has just failed, aiokafka cancels that fetch's pause, lets the CancelledError out
    as if the caller was cancelled, and leaves its connections open. Then this function closes them and raises nothing.
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


def admin(settings: Settings, *, within_s: float = REQUEST_S) -> AIOKafkaAdminClient:
    """Return an admin client, which the caller starts with `start` and closes. Each request has `within_s` seconds."""
    return AIOKafkaAdminClient(
        bootstrap_servers=settings.kafka,
        **security.arguments(settings),
        request_timeout_ms=int(within_s * 1000),
    )


async def send_all(
    through: AIOKafkaProducer, records: Iterable[dict[str, Any]], *, within_s: float = REQUEST_S
) -> None:
    """Send records (arguments of `AIOKafkaProducer.send`) and wait until all are acknowledged.

    Raises one of `SEND_ERRORS`. Then some of the records may be on the broker already, or still get there.
    """
    async with asyncio.timeout(within_s):
        futures: list[Any] = [await through.send(**record) for record in records]
        if futures:
            await asyncio.gather(*futures)
