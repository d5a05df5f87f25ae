"""What is asked about users who arrive, all at once, after their sessions are stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.store import arrivals, notifications, revocations
from clarion.store.database import Database


@dataclass(frozen=True, slots=True)
class Arrival:
    """What was found of one user.

    `delivered`: nothing is pending, and this is the highest `ord` of each lane that was delivered lately; None when
    there may be something to read. `tokens_from`: earlier tokens are refused; None when none is.
    """

    delivered: Mapping[Lane, int] | None
    tokens_from: datetime | None


async def look_up(stored: Database, wanted: Mapping[str, datetime | None]) -> dict[str, Arrival]:
    """Of each user; the value is since when it matters what was delivered, None for what each has to read by itself.

    Raises one of `database.TRANSIENT`.
    """
    asked = {user: since for user, since in wanted.items() if since is not None}
    earliest = min(asked.values(), default=times.now())
    found = await arrivals.waiting(notifications.collection(stored), list(asked), earliest)
    revoked = await revocations.of(revocations.collection(stored), list(wanted))
    return {
        user: Arrival(
            found.delivered.get(user, {}) if user in asked and user not in found.pending else None, revoked.get(user)
        )
        for user in wanted
    }
