"""Observes how long notifications took from publishing to the frame, where the id tells when it was made."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from clarion.contracts.limits import DAY_S
from clarion.contracts.records.deliveries import Addressed
from clarion.telemetry import metrics

_HEAD: Final = len("019353f5-0f2a-7")  # of a UUIDv7: milliseconds since 1970, and its version (RFC 9562, 5.7)
_MOST_MS: Final = 7 * DAY_S * 1000  # a lane keeps no record for longer


def observe(items: Iterable[Addressed]) -> None:
    """Observe the items of one record.

    Items that are pushed together were often made together, so what depends on lane and time alone is computed once.
    """
    now_ms = time.time() * 1000
    for (lane, head), times in Counter([(item.lane, item.id[:_HEAD]) for item in items]).items():
        if head.endswith("7"):
            waited_ms = now_ms - int(head[:8] + head[9:13], 16)
            if abs(waited_ms) > _MOST_MS:
                continue  # made by a clock that is far off, or without a clock
            metrics.delivery_seconds.observe(lane, max(0.0, waited_ms) / 1000, times)
