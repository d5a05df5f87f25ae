"""Count and log dead letters, since somebody has to look at them."""

from collections.abc import Iterable

import msgspec
import structlog

from clarion.contracts import trace
from clarion.contracts.records.dead_letters import DeadLetter
from clarion.contracts.records.notification import Id
from clarion.telemetry import metrics

log = structlog.get_logger()


class _Named(msgspec.Struct, gc=False):
    id: Id | None = None


_decoder = msgspec.json.Decoder(_Named)


def report(letters: Iterable[DeadLetter]) -> None:
    """Count `letters` in the metrics, and log a warning for each."""
    for letter in letters:
        metrics.dead_lettered.labels(letter.reason).inc()
        own = trace.of(letter.own)
        log.warning(
            "a record became a dead letter",
            reason=letter.reason,
            error=letter.error,
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            id=_id(letter),
            trace_id=own.trace_id if own else None,
        )


def _id(letter: DeadLetter) -> str | None:
    """Return the id of the notification, if the record can be read that far and has one."""
    try:
        return _decoder.decode(letter.value).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
