"""Count and log dead letters, since somebody has to look at them."""

from collections.abc import Iterable

import structlog

from clarion.contracts.records.dead_letters import DeadLetter
from clarion.telemetry import metrics

log = structlog.get_logger()


def report(letters: Iterable[DeadLetter]) -> None:
    """Count `letters` in the metrics, and log a warning for each."""
    for letter in letters:
        metrics.dead_lettered.labels(letter.reason).inc()
        log.warning(
            "a record became a dead letter",
            reason=letter.reason,
            error=letter.error,
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
        )
