"""Produce from a stream process: wait for Kafka, but not for a record that it will never take."""

from collections.abc import Iterable, Sequence

import structlog
from aiokafka import AIOKafkaProducer

from clarion.broker.clients import SEND_ERRORS
from clarion.broker.send_each import Refused, send_each
from clarion.contracts import times
from clarion.contracts.lanes import LANES
from clarion.contracts.records.dead_letters import DeadLetter, Reason
from clarion.contracts.topics import Names
from clarion.resilience.retry import retry
from clarion.telemetry import metrics
from services.stream.steps.dead_letters import report
from services.stream.steps.records import Sent, dead_letter_records

log = structlog.get_logger()


async def produce(producer: AIOKafkaProducer, names: Names, records: Iterable[Sent]) -> None:
    """Send records until Kafka has all of them. Log, count and give up those that a topic refuses for their size.

    A refused notification becomes a dead letter. What was for clients does not: they find the original in the store. To
    send it again and again would hold up everybody whose notifications follow.
    """
    refused = await _send(producer, list(records))
    if not refused:
        return
    letters = [_letter(one) for one in refused if one.record["topic"] in _of_notifications(names)]
    refused += await _send(producer, list(dead_letter_records(names, letters)))
    report(letters)
    for one in refused:
        metrics.records_refused.labels(one.record["topic"].removeprefix(names.prefix)).inc()
    first = refused[0]
    log.error(
        "Kafka refused records for their size: compare max.message.bytes by `clarion topics check`",
        records=len(refused),
        topic=first.record["topic"],
        bytes=len(first.record["value"]),
        error=repr(first.error),
    )


async def _send(producer: AIOKafkaProducer, records: Sequence[Sent]) -> list[Refused]:
    return await retry(lambda: send_each(producer, records), "kafka", *SEND_ERRORS)


def _of_notifications(names: Names) -> set[str]:
    return {names.scheduled, *map(names.notifications, LANES)}


def _letter(refused: Refused) -> DeadLetter:
    """Return the dead letter of a refused record.

    Its offset is -1, since it never had one in the topic to which it was sent.
    """
    record, now = refused.record, times.now()
    return DeadLetter(
        value=record["value"],
        key=record["key"],
        reason=Reason.TOO_LARGE,
        error=f"Kafka refused the record: {refused.error!r}",
        topic=record["topic"],
        partition=record.get("partition", -1),
        offset=-1,
        attempts=2,
        first_seen=now,
        last_seen=now,
        own=record.get("headers") or (),
    )
