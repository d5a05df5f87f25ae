"""Producing from a stream process: it waits for Kafka, but never for a record that Kafka will not take."""

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
    """Send until Kafka has all. What a topic refuses for its size is told, counted, and let go.

    Of notifications it becomes a dead letter. Of what goes to clients the store has the original: they find it there.
    A loop instead would hold up everybody whose notifications follow.
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
        "Kafka refuses records for their size: is max.message.bytes as declared?",
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
    """Its offset is -1: it never had one where it should have gone."""
    record, now = refused.record, times.now()
    return DeadLetter(
        value=record["value"],
        key=record["key"],
        reason=Reason.TOO_LARGE,
        error=f"Kafka refuses it: {refused.error!r}",
        topic=record["topic"],
        partition=record.get("partition", -1),
        offset=-1,
        attempts=2,
        first_seen=now,
        last_seen=now,
    )
