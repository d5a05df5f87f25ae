"""Observes how long notifications took from when they could be had first to the frame."""

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from clarion.contracts.lanes import Lane
from clarion.contracts.limits import DAY_S
from clarion.contracts.records.deliveries import Addressed
from clarion.telemetry import metrics

_VERSION: Final = len("019353f5-0f2a-")  # where a UUID has its version; before it a UUIDv7 has milliseconds since 1970
# Of a record and lane: a look costs a microsecond, and what comes in one record was often made together.
LOOKED_INTO: Final = 8
_SOON_MS: Final = 200  # less than any objective
_MOST_MS: Final = 7 * DAY_S * 1000  # a lane keeps no record for longer


class _Times(msgspec.Struct, gc=False):
    created_at: datetime
    available_at: datetime | None = None


_times: Final = msgspec.json.Decoder(_Times)


def observe(items: Sequence[Addressed]) -> None:
    """Observe the items of one record: a few of each lane, of which each counts for those that follow it, too."""
    now_ms = time.time() * 1000
    by_lane: defaultdict[Lane, list[Addressed]] = defaultdict(list)
    for item in items:
        by_lane[item.lane].append(item)
    for lane, some in by_lane.items():
        step = -(-len(some) // LOOKED_INTO)
        for start in range(0, len(some), step):
            waited_ms = _waited_ms(some[start], now_ms)
            if waited_ms < _MOST_MS:  # else its clock is far off, or nobody knows when it was made
                metrics.delivery_seconds.observe(lane, max(0.0, waited_ms) / 1000, min(step, len(some) - start))


def _waited_ms(item: Addressed, now_ms: float) -> float:
    """Return how long ago an item could be had first.

    An id that was just made says when. Ids made of a key tell no time, and the ids of what was scheduled tell another
    one, so their bodies are looked into.
    """
    if item.id[_VERSION] == "7":
        since_made_ms = now_ms - int(item.id[:8] + item.id[9:13], 16)
        if 0 <= since_made_ms < _SOON_MS:
            return since_made_ms
    return now_ms - _available_ms(item.body)


def _available_ms(body: msgspec.Raw) -> float:
    """Return when an item could be had first, in milliseconds since 1970; 0 if that cannot be read."""
    try:
        known = _times.decode(body)
    except msgspec.MsgspecError:
        return 0
    return (known.available_at or known.created_at).timestamp() * 1000
