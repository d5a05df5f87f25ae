"""What is pending for users for whom nothing is on its way, for a gateway's safety net."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import ASCENDING

from clarion.contracts.lanes import Lane
from clarion.store.driver.database import Collection, Document
from clarion.store.driver.failures import asked
from clarion.store.queries.pending_summary import pending_query

_MOST: Final = 500  # for the users of one call; the next look finds the rest
_FIELDS: Final = ["recipient", "lane", "ord", "body"]


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A notification that is pending. `body` is the client's item as encoded JSON."""

    id: str
    recipient: str
    lane: Lane
    ord: int
    body: bytes


@asked
async def find(
    documents: Collection, users: Sequence[str], stored_before: datetime, now: datetime
) -> list[Undelivered]:
    """Return what was stored before `stored_before`, is pending and has not expired, in order for each user and lane.

    Mostly there is nothing, and then the call costs one covered query.
    """
    some: list[str] = await documents.distinct("recipient", pending_query(users))
    if not some:
        return []
    query: Document = {
        **pending_query(some),
        "stored_at": {"$lt": stored_before},
        "expires_at": {"$not": {"$lte": now}},
    }
    cursor = documents.find(query, _FIELDS).sort("ord", ASCENDING).limit(_MOST)
    return [Undelivered(d["_id"], d["recipient"], Lane(d["lane"]), d["ord"], d["body"]) async for d in cursor]
