"""Checks of clocks: those of MongoDB and of the brokers, against this machine's."""

import time
from contextlib import suppress
from datetime import datetime
from statistics import median
from typing import Final

import msgspec

from clarion.broker import record_search
from clarion.contracts import times
from clarion.contracts.lanes import LANES
from clarion.contracts.topics import Names
from clarion.operating import samples
from clarion.operating.doctor.check import Outcome, Skip, failed, ok, warning
from clarion.operating.doctor.system import System
from clarion.store.queries import server

SKEW_WARNING_S: Final = 1.0
SKEW_FAILED_S: Final = 30.0  # half of what an issuer's clock may differ by
_LAST_RECORDS: Final = 200


async def database_clock(system: System) -> Outcome:
    """Check that MongoDB's clock, by which it purges, is that of this machine."""
    database = await system.database()
    before, began = times.now(), time.monotonic()
    said = await server.hello(database)
    took = time.monotonic() - began
    ahead = (said.local_time - before).total_seconds() - took / 2
    return skew("MongoDB", ahead, took / 2)


async def broker_clock(system: System) -> Outcome:
    """Check the brokers' clock, by which limits and retention go, as far as records tell it.

    Kafka has no question for its clock. What the observer measures counts; otherwise the last records are read: none
    can be of later than now, nor be taken before it was made.
    """
    measured = await _measured(system)
    if measured is not None:
        name, ahead = measured
        return skew(f"the broker {name}", ahead, 0.0)
    admin, names = await system.kafka(), Names(system.settings.prefix)
    topics = [*(names.notifications(lane) for lane in LANES), names.receipts]
    async with record_search.looking(system.settings) as consumer:
        whole = await record_search.spans(consumer, await record_search.partitions_of(admin, topics))
        last = {p: record_search.Span(max(s.start, s.end - 1), s.end) for p, s in whole.items()}
        read = await record_search.search(consumer, last, lambda record: record.value or b"", hits=_LAST_RECORDS)
    if not read.hits:
        raise Skip("no topic has a record whose time could be compared")
    now = times.now()
    ahead = max((hit.at - now).total_seconds() for hit in read.hits)
    # the median, since single producers say what they like, and what was scheduled was made long before
    behind = median((_made(hit.found, hit.at) - hit.at).total_seconds() for hit in read.hits)
    if max(ahead, behind) < SKEW_WARNING_S:
        return ok("the last records are of earlier than now, and were taken after they were made")
    return skew("Kafka", ahead if ahead >= behind else -behind, 0.0)


async def _measured(system: System) -> tuple[str, float] | None:
    """Return which broker's clock is furthest off by what observers have measured, and by how much it is ahead.

    None where no observer has measured any.
    """
    seen: dict[str, float] = {}
    with suppress(Skip):
        for view in await system.processes():
            told = samples.by_label(view.samples, "clarion_clock_skew_seconds", "server")
            seen |= {name: ahead for name, ahead in told.items() if name not in system.settings.mongodb}
    return max(seen.items(), key=lambda one: abs(one[1]), default=None)


class _Made(msgspec.Struct):
    created_at: datetime | None = None  # of a notification
    at: datetime | None = None  # of a receipt


def _made(value: bytes, otherwise: datetime) -> datetime:
    """Return when a record was made, by the clock of its producer."""
    try:
        said = msgspec.json.decode(value, type=_Made)
    except msgspec.MsgspecError:
        return otherwise
    made = said.created_at or said.at or otherwise
    return made if made.tzinfo else otherwise


def skew(name: str, ahead_s: float, inaccurate_s: float) -> Outcome:
    """Return the outcome for a server whose clock is `ahead_s` ahead of this machine's, or behind if negative."""
    off = abs(ahead_s) - inaccurate_s
    told = f"{name}'s clock is {abs(ahead_s):.3f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    cure = "let all machines follow one time server (NTP), and look at this machine's clock first"
    if off >= SKEW_FAILED_S:
        return failed(told, cure)
    return warning(told, cure) if off >= SKEW_WARNING_S else ok(told)
