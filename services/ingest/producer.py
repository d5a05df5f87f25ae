"""Produce notifications to Kafka. They are accepted once every in-sync replica has them, and not before."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple, cast

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.broker.probe import probe
from clarion.broker.producing import Producer
from clarion.contracts import times, trace
from clarion.contracts.records import notification, receipts, scheduling
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.receipts import Receipt
from clarion.contracts.topics import Names
from clarion.resilience.retry import retry
from clarion.settings import Settings
from clarion.telemetry import metrics
from clarion.telemetry.health import Dependency, watch
from clarion.web.budget import Budget
from clarion.web.problem_responses import Unavailable

log = structlog.get_logger()

ACKNOWLEDGED_WITHIN_S: Final = 5.0
_STOP_S: Final = 5.0
_START_S: Final = 10.0


Headers = Sequence[tuple[str, bytes]]


class _Record(NamedTuple):
    topic: str
    key: bytes
    value: bytes
    headers: Headers
    id: str  # of the notification that it is or is about

    def named(self) -> dict[str, str | None]:
        """Return the fields of log lines that concern its notification."""
        found = trace.of(self.headers)
        return {"id": self.id, "trace_id": found.trace_id if found else None}


class IngestProducer:
    """Owns ingest's Kafka producer: starts it, sends by it, and watches whether Kafka answers it."""

    def __init__(self, settings: Settings, kafka: Dependency, budget: Budget) -> None:
        self._settings = settings
        self._names = Names(settings.prefix)
        self._kafka = kafka
        self._budget = budget
        self._producer: Producer | None = None

    async def run(self) -> None:
        """Keep a producer until cancelled, then let it finish what it holds, within `_STOP_S`."""
        producer = self._producer = await retry(self._start, "kafka", *clients.SEND_ERRORS)
        try:
            await watch(self._kafka, partial(probe, producer))
        finally:
            self._producer = None
            await _stop(producer)

    def refused(self) -> str:
        """Return, in words, what Kafka refuses at present; empty when it refuses nothing."""
        return self._producer.refused() if self._producer else ""

    async def _start(self) -> Producer:
        producer = clients.producer(self._settings, on_renewed=metrics.count_renewal)
        try:
            await clients.start(producer, within_s=_START_S)
        except BaseException as error:
            self._kafka.seen("no broker can be reached", cause=error)
            await _stop(producer)
            raise
        return producer

    async def accept(self, notifications: Sequence[Notification], headers: Headers) -> list[bool]:
        """Send notifications with these headers. Return which were acknowledged, and raise, as `_send_all` does."""
        now = times.now()
        accepted = await self._send_all(
            [
                _Record(
                    scheduling.topic_of(self._names, item, now),
                    item.recipient.encode(),
                    notification.encode(item),
                    headers,
                    item.id or "",
                )
                for item in notifications
            ]
        )
        for item, yes in zip(notifications, accepted, strict=True):
            if yes:
                metrics.accepted.labels(item.priority).inc()
        return accepted

    async def tell(self, receipt: Receipt) -> bool:
        """Send a receipt. Return whether it was acknowledged, and raise, as `_send_all` does."""
        record = _Record(
            self._names.receipts,
            receipt.user.encode(),
            receipts.encode(receipt),
            receipts.headers(receipt),
            receipt.ids[0],
        )
        return all(await self._send_all([record]))

    async def _send_all(self, records: Sequence[_Record]) -> list[bool]:
        """Send all records, then wait. Return which of them all in-sync replicas acknowledged within the deadline.

        The others may still arrive, since an idempotent producer tries again without a limit. The bytes of each count
        against the budget until it is known what became of it. Raise `Unavailable` while Kafka is down, and `Full` when
        there is no room; nothing is sent then.
        """
        producer = self._producer
        if producer is None or self._kafka.up is False:
            raise Unavailable("Kafka is down, and nothing was accepted: try again later")
        self._budget.hold(sum(len(record.value) for record in records))
        futures: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
                for record in records:
                    futures.append(await self._send(producer, record))  # noqa: PERF401 - those before a failure count
                await asyncio.wait(futures)
        except TimeoutError:
            log.warning(
                "Kafka did not acknowledge records in time",
                records=len(records),
                seconds=ACKNOWLEDGED_WITHIN_S,
                **records[0].named(),
            )
        except clients.SEND_ERRORS as error:
            log.warning(
                "records could not be sent to Kafka", records=len(records), error=repr(error), **records[0].named()
            )
        finally:
            self._budget.release(sum(len(record.value) for record in records[len(futures) :]))
        accepted = [future.done() and not future.cancelled() and not future.exception() for future in futures]
        return accepted + [False] * (len(records) - len(futures))

    async def _send(self, producer: AIOKafkaProducer, record: _Record) -> asyncio.Future[Any]:
        topic, key, value, headers, _ = record
        future = cast("asyncio.Future[Any]", await producer.send(topic, value, key=key, headers=headers))

        def settled(future: asyncio.Future[Any]) -> None:
            self._budget.release(len(value))
            if not future.cancelled() and (error := future.exception()):
                log.warning("Kafka refused a record", topic=topic, error=repr(error), **record.named())

        future.add_done_callback(settled)
        return future


async def _stop(producer: AIOKafkaProducer) -> None:
    """Flush the producer and close it.

    While the broker is down a flush never ends. What is left after `_STOP_S` was answered with 503.
    """
    try:
        async with asyncio.timeout(_STOP_S):
            await producer.stop()
    except (TimeoutError, *clients.SEND_ERRORS) as error:
        log.warning("the producer did not stop cleanly", error=repr(error))
        sender: Any = producer._sender
        if sender.sender_task is not None:
            sender.sender_task.cancel()
        await producer.client.close()
