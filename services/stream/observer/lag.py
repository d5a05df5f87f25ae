"""Look at how far each lane, the receipts role and the scheduler role are behind, by Kafka's word."""

import time
from collections.abc import Mapping
from typing import Final

from clarion.broker.lag.group_lags import GroupLags
from clarion.contracts.lanes import LANES
from clarion.contracts.topics import Names
from clarion.telemetry import metrics
from services.stream.observer.looks import Look

_EVERY_S: Final = 5.0
_WITHIN_S: Final = 10.0


def topics_of(names: Names) -> dict[str, str]:
    """Return the topic that each role reads, by the role's name."""
    lanes = {str(lane): names.notifications(lane) for lane in LANES}
    return lanes | {"receipts": names.receipts, "dead-letters": names.dead_letters, "scheduler": names.scheduled}


def lag_look(lags: GroupLags, names: Names) -> Look:
    """Return the look at the lag of every role that reads a topic."""
    topics: Mapping[str, str] = {names.group(role): topic for role, topic in topics_of(names).items()}
    roles = {names.group(role): role for role in topics_of(names)}

    async def look() -> None:
        found = await lags.ask(topics, time.time())
        metrics.lag_records.tell({(roles[group],): lag.records for group, lag in found.items()})
        metrics.lag_seconds.tell(
            {(roles[group],): lag.seconds for group, lag in found.items() if lag.seconds is not None}
        )

    return Look("lag", look, [metrics.lag_records, metrics.lag_seconds], _EVERY_S, _WITHIN_S)
