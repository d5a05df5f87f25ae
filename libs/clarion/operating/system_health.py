"""The health of the whole system: ok, degraded or failing, with reasons, from what all processes say. Pure but for one.

Operators mean the system and not one process. It fails when a role that users need has no process that is ready, and
is degraded when anything else is not as it should be.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clarion.contracts.lanes import LANES
from clarion.operating import processes
from clarion.operating.processes import ProcessView
from clarion.settings import Settings
from clarion.telemetry.health import Status

# Without one of these, notifications are not taken, or not delivered.
NEEDED: Final = ("ingest", *(str(lane.value) for lane in LANES), "gateway")
# Without one of these, something waits (marks, what is scheduled, what expires), or nobody sees how far lanes are
# behind.
USED: Final = ("receipts", "scheduler", "observer")

_NAMES_MOST: Final = 5  # that a reason lists


@dataclass(frozen=True, slots=True)
class RoleHealth:
    """How many processes of a role there are, and how many of them are ready."""

    processes: int
    ready: int


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """The overall status, why, and each role's part in it."""

    status: Status
    reasons: Sequence[str]
    roles: Mapping[str, RoleHealth]


async def system_health(settings: Settings) -> SystemHealth:
    """Ask all processes, and return the health of the whole. Raises `SettingsError` for a wrong CLARION_PROCESSES."""
    return overall(await processes.ask_all(settings))


def overall(views: Sequence[ProcessView]) -> SystemHealth:
    """Return the health of the system whose processes say this."""
    roles = _roles(views)
    failing = [
        f"no process of the role {role} is ready" for role in NEEDED if (known := roles.get(role)) and not known.ready
    ]
    waiting = [
        f"no process of the role {role} is ready" for role in USED if (known := roles.get(role)) and not known.ready
    ]
    unnamed = [role for role in (*NEEDED, *USED) if role not in roles]
    unknown = [f"CLARION_PROCESSES names no process of the roles {', '.join(unnamed)}"] if unnamed else []
    reasons = [*failing, *waiting, *_troubles(views), *unknown]
    return SystemHealth("failing" if failing else "degraded" if reasons else "ok", reasons, roles)


def _roles(views: Iterable[ProcessView]) -> dict[str, RoleHealth]:
    by_role: defaultdict[str, list[ProcessView]] = defaultdict(list)
    for view in views:
        by_role[view.role].append(view)
    return {role: RoleHealth(len(some), sum(not view.unready for view in some)) for role, some in by_role.items()}


def _troubles(views: Iterable[ProcessView]) -> list[str]:
    """Return what single processes say is wrong, each once, with the names of those that say it."""
    said: defaultdict[str, list[str]] = defaultdict(list)
    for view in views:
        name = f"{view.name} at {view.url.partition('://')[2]}"
        if not view.status:
            said[f"no answer ({view.errors[0]})" if view.errors else "no answer"].append(name)
        for reason in (*view.reasons, *(view.errors if view.status else ())):
            said[reason].append(name)
    return [f"{_listed(names)}: {reason}" for reason, names in said.items()]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_MOST
    return ", ".join(names[:_NAMES_MOST]) + (f" and {more} more" if more > 0 else "")
