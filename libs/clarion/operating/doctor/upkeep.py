"""Checks of what goes on by itself: MongoDB's clean-up, expiry, releases of what is due; and of slow queries."""

from datetime import timedelta
from typing import Final

from clarion.contracts import times
from clarion.contracts.times import rfc3339
from clarion.operating.doctor.check import Outcome, failed, judged, ok, warning
from clarion.operating.doctor.system import System
from clarion.store.queries import server, upkeep
from clarion.store.queries.server import NotPermitted, SlowOperation

PURGE_LATE: Final = timedelta(minutes=10)  # MongoDB looks once a minute, and then works through what there is
EXPIRE_LATE: Final = timedelta(seconds=60)  # the scheduler role looks every second
RELEASE_LATE: Final = timedelta(seconds=30)
SLOW_S: Final = 2.0
_PROFILED: Final = timedelta(minutes=15)
_COUNTED_MOST: Final = 10_000
_SCHEDULER: Final = (
    "start a process with `clarion stream --role scheduler`; if one runs, its /health says what it waits for"
)


async def clean_up(system: System) -> Outcome:
    """Check that MongoDB removes what is to be purged."""
    database = await system.database()
    try:
        is_on = await server.is_purging(database)
    except NotPermitted:
        is_on = True  # what is overdue tells
    if not is_on:
        return failed(
            "MongoDB's clean-up is off (ttlMonitorEnabled): nothing is ever purged, until the disk is full",
            "db.adminCommand({setParameter: 1, ttlMonitorEnabled: true})",
        )
    overdue = await upkeep.unpurged(database, times.now() - PURGE_LATE)
    return judged(
        [],
        [f"{name} has documents that were to be purged at {rfc3339(at)}" for name, at in overdue.items()],
        "nothing is overdue",
        "look again in some minutes: after a restart mongod begins anew. If it stays, mongod has no time for it: "
        "see the check `queries`",
    )


async def expiry(system: System) -> Outcome:
    """Check that notifications which have expired leave the inbox."""
    if overdue := await upkeep.unexpired(await system.database(), times.now() - EXPIRE_LATE):
        return failed(f"a notification that expired at {rfc3339(overdue)} is still in an inbox", _SCHEDULER)
    return ok("what has expired has left the inboxes")


async def releases(system: System) -> Outcome:
    """Check that scheduled notifications are released when they are due."""
    late = await upkeep.unreleased(await system.database(), times.now() - RELEASE_LATE, _COUNTED_MOST)
    if late:
        count = f"{late} or more" if late == _COUNTED_MOST else str(late)
        return failed(f"{count} scheduled notifications are due since {RELEASE_LATE.seconds} s or longer", _SCHEDULER)
    return ok("everything that is due has been released")


async def queries(system: System) -> Outcome:
    """Check that no operation on MongoDB takes long."""
    database = await system.database()
    slow = await server.running(database, SLOW_S)
    try:
        noted = await server.profiled(database, times.now() - _PROFILED, SLOW_S)
    except NotPermitted:
        noted = None
    cure = (
        "see the check `indexes`. With all indexes in place, MongoDB lacks memory or disk: an operation that goes "
        "through a whole collection (COLLSCAN) is not Clarion's"
    )
    if found := [*slow, *(noted or ())]:
        return warning("; ".join(map(_told, found)), cure)
    past = "" if noted is None else f", nor in the last {_PROFILED.seconds // 60} minutes, as the profiler says"
    return ok(f"no operation has run for {SLOW_S:g} s{past}")


def _told(operation: SlowOperation) -> str:
    plan = f", {operation.plan}" if operation.plan else ""
    return f"{operation.what} on {operation.collection} takes {operation.seconds:.1f} s{plan}"
