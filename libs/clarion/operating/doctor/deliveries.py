"""Checks of the way from a lane to users: mailboxes, sessions of earlier gateways, and what was overlooked or lost."""

from typing import Final

from clarion.operating import samples
from clarion.operating.doctor.check import Outcome, Skip, failed, judged, ok, warning
from clarion.operating.doctor.system import System
from clarion.operating.trace.story import Ending
from clarion.operating.trace.trace import trace
from clarion.store import mailboxes as leases
from clarion.store.queries import upkeep

_FEW: Final = 0.1  # of all mailboxes
_COUNTED_MOST: Final = 10_000


async def mailboxes(system: System) -> Outcome:
    """Check that there are mailboxes for further gateways."""
    known = await leases.find_all(leases.collection(await system.database()))
    count = system.settings.partitions_deliveries
    owners = [lease.owner for number, lease in known.items() if lease.owner and number < count]
    free = count - len(owners)
    cure = (
        "grow both: `clarion topics grow deliveries` and `deliveries.urgent`, then set CLARION_PARTITIONS_DELIVERIES "
        "for all processes. Mailboxes of killed gateways are free again after 40 s"
    )
    if not owners:
        return failed(
            "no gateway holds a mailbox, so nobody receives anything live", "start a process `clarion gateway`"
        )
    told = f"{free} of {count} mailboxes are free, and {len(owners)} gateways hold one each"
    return warning(told, cure) if free <= _FEW * count else ok(told)


async def sessions(system: System) -> Outcome:
    """Check that no sessions of gateways are left that are gone."""
    left = await upkeep.left_sessions(await system.database(), _COUNTED_MOST)
    if left:
        return warning(
            f"{left}{' or more' if left == _COUNTED_MOST else ''} sessions are of gateways that are gone: each "
            "notification of these users costs a record that nobody reads",
            "look again after 90 s, within which any gateway removes them; if they stay, no gateway is ready",
        )
    return ok("all sessions are of the present owners of their mailboxes")


async def safety_net(system: System) -> Outcome:
    """Check that the gateways' safety nets look, and have found nothing."""
    views = [view for view in await system.answering() if view.role == "gateway"]
    if not views:
        raise Skip("no gateway answers at /metrics: see the check `health`")
    overlooked = sum(samples.total(view.samples, "clarion_overlooked_total") or 0 for view in views)
    looks = [samples.by_label(view.samples, "clarion_safety_net_looks_total", "how") for view in views]
    missed, done = sum(one.get("missed", 0) for one in looks), sum(one.get("done", 0) for one in looks)
    found = [f"{overlooked:g} notifications were delivered by the safety net alone"] if overlooked else []
    late = [f"{missed:g} of {missed + done:g} looks did not end in time"] if missed > done else []
    return judged(
        [],
        found + late,
        f"{done:g} looks of {len(views)} gateways found nothing",
        "report what was overlooked, with the logs of lanes and gateways: no other way has delivered it. Looks that do "
        "not end in time mean that MongoDB is slow",
    )


async def accounting(system: System) -> Outcome:
    """Check that every accepted notification is accounted for."""
    for view in await system.answering():
        unaccounted = samples.total(view.samples, "clarion_unaccounted")
        if unaccounted:
            return failed(
                f"{unaccounted:g} notifications are unaccounted for", "run `clarion audit`, which names each of them"
            )
        if unaccounted is not None:
            return ok("every notification is accounted for")
    raise Skip("no process exports clarion_unaccounted: run `clarion stream --role observer`")


async def notification(system: System) -> Outcome:
    """Check what became of the notification that `--id` names."""
    if not system.id:
        raise Skip("no notification was named: give --id")
    await system.database()
    story = await trace(system.settings, system.id)
    told = f"{story.ending}: {story.summary}"
    if story.ending in (Ending.UNKNOWN, Ending.DEAD, Ending.LOST):
        return failed(told, story.cure)
    return warning(told, story.cure) if story.cure else ok(told)
