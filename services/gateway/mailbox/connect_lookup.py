"""What is asked about users who arrive, all at once, after their sessions are stored."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime

from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.store import notifications, revocations
from clarion.store.driver.database import Database
from clarion.store.queries import pending_summary


@dataclass(frozen=True, slots=True)
class ConnectLookup:
    """What was found of one user.

    `pending`: the lanes in which there is anything to read; None when that was not asked. `delivered`: the highest
    `ord` of each lane that was delivered lately. `tokens_from`: earlier tokens are refused; None when none is.
    """

    pending: Set[Lane] | None
    delivered: Mapping[Lane, int]
    tokens_from: datetime | None


async def look_up(stored: Database, wanted: Mapping[str, datetime | None]) -> dict[str, ConnectLookup]:
    """Of each user; the value is since when it matters what was delivered, None for what each has to read by itself.

    Raises one of `database.TRANSIENT`.
    """
    asked = {user: since for user, since in wanted.items() if since is not None}
    earliest = min(asked.values(), default=times.now())
    found = await pending_summary.waiting(notifications.collection(stored), list(asked), earliest)
    revoked = await revocations.of(revocations.collection(stored), list(wanted))
    return {
        user: ConnectLookup(
            found.pending.get(user, frozenset()) if user in asked else None,
            found.delivered.get(user, {}),
            revoked.get(user),
        )
        for user in wanted
    }
