"""What the store knows of one user: connections, what is pending, the last acknowledgement, and limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import ASCENDING, DESCENDING

from clarion.contracts.api.status import State
from clarion.contracts.lanes import LANES, Lane
from clarion.store import mailboxes, notifications, revocations, sessions
from clarion.store.driver.database import Collection, Database, Document
from clarion.store.driver.failures import asked
from clarion.store.queries.pending_summary import pending_query

COUNTED_MOST: Final = 10_000  # of what is pending in a lane, and of what is throttled
_SESSIONS_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Session:
    """A user is connected through a mailbox since a moment. `gateway` is its owner, empty of an earlier gateway's."""

    mailbox: int
    epoch: int
    since: datetime
    gateway: str


@dataclass(frozen=True, slots=True)
class Pending:
    """What is pending in a lane: how many, `COUNTED_MOST` at most, and since when the first of them is stored."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The latest notification that a device has acknowledged."""

    id: str
    lane: Lane
    at: datetime


@dataclass(frozen=True, slots=True)
class UserOverview:
    """One user, as stored. `unread` is `UNREAD_CAP` at most. Tokens from before `tokens_since` are refused."""

    user: str
    sessions: Sequence[Session]
    pending: Mapping[Lane, Pending]
    unread: int
    throttled: int
    last_acknowledged: Acknowledged | None
    tokens_since: datetime | None


@asked
async def find(database: Database, user: str) -> UserOverview:
    """Return what the store knows of a user; of one who is unknown, that there is nothing.

    Each query has an index, and a limit where the user may have much. Raises one of `database.TRANSIENT`.
    """
    documents = notifications.collection(database)
    throttled: Document = {"recipient": user, "unread": True, "state": State.THROTTLED}
    revoked = await revocations.of(revocations.collection(database), [user])
    return UserOverview(
        user=user,
        sessions=await _sessions(database, user),
        pending={lane: await _pending(documents, user, lane) for lane in LANES},
        unread=await notifications.unread(documents, user),
        throttled=await documents.count_documents(throttled, limit=COUNTED_MOST),
        last_acknowledged=await _last_acknowledged(documents, user),
        tokens_since=revoked.get(user),
    )


async def _sessions(database: Database, user: str) -> list[Session]:
    leases = await mailboxes.find_all(mailboxes.collection(database))
    found: list[Session] = []
    for one in await sessions.collection(database).find({"user": user}).limit(_SESSIONS_MOST).to_list(None):
        lease = leases.get(one["mailbox"])
        is_current = lease is not None and lease.epoch == one["epoch"]
        found.append(Session(one["mailbox"], one["epoch"], one["at"], lease.owner if lease and is_current else ""))
    return found


async def _pending(documents: Collection, user: str, lane: Lane) -> Pending:
    query = pending_query([user]) | {"lane": lane}
    count = await documents.count_documents(query, limit=COUNTED_MOST)
    first = await documents.find_one(query, ["stored_at"], sort=[("ord", ASCENDING)]) if count else None
    return Pending(count, first["stored_at"] if first else None)


async def _last_acknowledged(documents: Collection, user: str) -> Acknowledged | None:
    query: Document = {"recipient": user, "delivered_at": {"$exists": True}, "lane": {"$exists": True}}
    last = await documents.find_one(query, ["lane", "delivered_at"], sort=[("delivered_at", DESCENDING)])
    return Acknowledged(last["_id"], Lane(last["lane"]), last["delivered_at"]) if last else None
