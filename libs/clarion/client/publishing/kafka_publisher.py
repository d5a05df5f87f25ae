"""Publishes straight to Kafka, by the same contract as ingest."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from clarion.broker import clients
from clarion.client.errors import NotOpen, Refused, Unavailable
from clarion.client.life import Life
from clarion.client.publishing.transport import Result
from clarion.contracts import times
from clarion.contracts.api.problems import FieldError, Problem, field_error
from clarion.contracts.ids import idempotent_id, new_id
from clarion.contracts.records import notification, scheduling
from clarion.contracts.records.notification import Invalid, Notification, Submission
from clarion.contracts.topics import Names
from clarion.edges.kafka import KafkaSecurity
from clarion.settings import Settings

_HANG_UP_S: Final = 1.0  # how long closing the connections may take once the producer could not end in order


class KafkaTransport:
    """Produces notifications of `sender` to the brokers at `bootstrap`; the topics' names begin with `prefix`.

    Raise `EdgeError`, a ValueError, when `security` is incomplete, or has a file that cannot be used. `deadline_s` is
    for one call, for connecting and for closing.
    """

    def __init__(
        self, bootstrap: str, sender: str, prefix: str, deadline_s: float, security: KafkaSecurity | None = None
    ) -> None:
        security = security or KafkaSecurity()
        security.check()
        secured: dict[str, Any] = {f"kafka_{name}": getattr(security, name) for name in security.__struct_fields__}
        self._settings = Settings(kafka=bootstrap, prefix=prefix, **secured)
        self._names = Names(prefix)
        self._sender = sender
        self._deadline_s = deadline_s
        self._producer: AIOKafkaProducer | None = None
        self._life = Life("publisher")

    async def start(self) -> None:
        """Connect to Kafka. Raise `Unavailable` when no broker answers within the deadline, or `NotOpen`."""
        self._life.begin()
        producer = clients.producer(self._settings)
        try:
            await clients.start(producer, within_s=self._deadline_s)
        except BaseException as error:
            await producer.stop()
            self._life.end()
            if isinstance(error, clients.SEND_ERRORS):
                raise Unavailable(f"Kafka at {self._settings.kafka} cannot be reached: {error}") from error
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Send what is left, then close the connections in any case.

        Raise `Unavailable` when Kafka does not take everything within the deadline.
        """
        producer, self._producer = self._producer, None
        self._life.end()
        if producer is None:
            return
        is_stopped = False
        try:
            async with asyncio.timeout(self._deadline_s):
                await producer.stop()
            is_stopped = True
        except TimeoutError as error:
            raise Unavailable(
                "Kafka did not accept all notifications before the publisher was closed; some may be lost"
            ) from error
        finally:
            if not is_stopped:
                await _hang_up(producer)

    async def send(self, submission: Submission, key: str | None) -> str:
        """Publish one notification and return its id. Raise `Refused`, `Unavailable` or `NotOpen`."""
        [result] = await self._send([(submission, key)])
        if result.status == 503:
            raise Unavailable(result.errors[0].detail)
        if result.id is None:
            raise Refused(Problem("Unprocessable Entity", 422, "the notification is invalid", errors=result.errors))
        return result.id

    async def send_many(self, submissions: Sequence[Submission]) -> list[Result]:
        """Publish many; return their results in the same order. Raise `NotOpen`."""
        return await self._send([(submission, None) for submission in submissions])

    async def _send(self, submissions: Sequence[tuple[Submission, str | None]]) -> list[Result]:
        """Send all, then wait until each is acknowledged or the deadline has passed. Raise `NotOpen`."""
        self._life.check()
        if self._producer is None:
            raise NotOpen("this publisher is not open yet: use `async with Publisher.kafka(…)`")
        producer = self._producer
        results: dict[int, Result] = {}
        sent: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        reason = f"Kafka did not acknowledge within {self._deadline_s:g} s, and may still accept the notification"
        try:
            async with asyncio.timeout(self._deadline_s):
                for index, (submission, key) in enumerate(submissions):
                    try:
                        item, value = self._checked(submission, key)
                    except Invalid as error:
                        cause = error.__cause__  # the schema's own error names the field
                        named = cause if isinstance(cause, msgspec.ValidationError) else error
                        results[index] = Result(422, errors=[field_error(named)])
                        continue
                    sent[index] = str(item.id), await self._hand_over(producer, item, value)
                if sent:
                    await asyncio.wait([future for _, future in sent.values()])
        except TimeoutError:
            pass  # the results of what was not acknowledged say so
        except clients.SEND_ERRORS as error:
            reason = f"the notification could not be sent to Kafka: {error!r}"
        for index, (id_, future) in sent.items():
            if not future.done() or future.cancelled():
                continue
            if error := future.exception():
                results[index] = Result(
                    503, errors=[FieldError("", "refused", f"Kafka refused the notification: {error!r}")]
                )
            else:
                results[index] = Result(202, id_)
        lost = Result(503, errors=[FieldError("", "unavailable", reason)])
        return [results.get(index, lost) for index in range(len(submissions))]

    def _checked(self, submission: Submission, key: str | None) -> tuple[Notification, bytes]:
        """Return a submission as a notification and as its record's value. Raise `Invalid`."""
        if submission.recipients is not None:
            raise Invalid(
                "/recipients",
                "not_supported",
                None,
                "`recipients` is not supported straight to Kafka: publish to each `recipient`",
            )
        notification.check_moments(submission)
        recipient, sender, now = submission.recipient or "", submission.sender or self._sender, times.now()
        item = Notification(
            id=new_id(scheduling.due(submission, now)) if key is None else idempotent_id(sender, recipient, key),
            type=submission.type,
            message=submission.message,
            priority=submission.priority,
            data=submission.data,
            expires_at=submission.expires_at,
            deliver_at=submission.deliver_at,
            collapse_key=submission.collapse_key,
            recipient=recipient,
            sender=sender,
            created_at=now,
        )
        scheduling.check(item, now)
        notification.check_data(item.data)  # before encoding, which fails on some depths and types
        try:
            value = notification.encode(item)
        except (ValueError, TypeError) as error:
            raise Invalid("", "unencodable", None, str(error)) from error
        notification.decode(value)
        return item, value

    async def _hand_over(self, producer: AIOKafkaProducer, item: Notification, value: bytes) -> asyncio.Future[Any]:
        # the default partitioner puts a key into the partition that Kafka's own clients choose (murmur2)
        topic, key = scheduling.topic_of(self._names, item, times.now()), item.recipient.encode()
        future = cast("asyncio.Future[Any]", await producer.send(topic, value, key=key))
        future.add_done_callback(lambda future: future.cancelled() or future.exception())  # or asyncio logs it
        return future


async def _hang_up(producer: Any) -> None:
    """End what aiokafka leaves behind when its `stop` is interrupted during the flush.

    A second `stop` would return at once and end nothing.
    """
    producer._message_accumulator.fail_all(KafkaError("the producer was stopped"))  # or its flush would never end
    sending = producer._sender.sender_task
    sending.cancel()
    closing = asyncio.ensure_future(producer.client.close())  # ends the requests that the sender waits for
    await asyncio.wait([sending, closing], timeout=_HANG_UP_S)
    for left in (sending, closing):
        left.cancel()
