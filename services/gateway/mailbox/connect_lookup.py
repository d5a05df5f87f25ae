"""Asks what users who have just connected have waiting, for all of them at once, after their sessions are stored."""

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
    """What was found about one user.

    `pending` has the lanes in which there is something to read; it is None when that was not asked. `delivered` has the
    highest `ord` of each lane that was delivered lately. Tokens issued before `tokens_from` are refused; that is None
    when none is revoked.
    """

    pending: Set[Lane] | None
    delivered: Mapping[Lane, int]
    tokens_from: datetime | None


async def look_up(stored: Database, wanted: Mapping[str, datetime | None]) -> dict[str, ConnectLookup]:
    """Return what each user in `wanted` has waiting, and whether tokens of the user are revoked.

    The value of a user is since when it matters what was delivered. It is None for a user whose connection has to read
    by itself: then only revocations are asked for. Raises one of `database.TRANSIENT`.
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
