"""What users who connect at the same time have waiting: a few covered queries for all, instead of several for each."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from clarion.contracts.api.status import State
from clarion.contracts.lanes import LANES, Lane
from clarion.store.driver.database import Collection, Document
from clarion.store.driver.failures import asked


@dataclass(frozen=True, slots=True)
class Waiting:
    """What users have waiting.

    `pending` has, for each user, the lanes in which anything is pending; `delivered` has, for each user and lane, the
    highest `ord` that was delivered since the moment that was asked for.
    """

    pending: Mapping[str, Set[Lane]]
    delivered: Mapping[str, Mapping[Lane, int]]


@asked
async def waiting(documents: Collection, users: Sequence[str], delivered_since: datetime) -> Waiting:
    """Return what `users` have waiting, from indexes alone.

    MongoDB reads one key for each user and lane in which anything is pending, and one for each delivery since
    `delivered_since`. The answer may have more than there is to read, since what has expired is still pending here, but
    never less.
    """
    pending: dict[str, set[Lane]] = {}
    if some := await documents.distinct("recipient", pending_query(users)):
        for lane in LANES:
            for user in await documents.distinct("recipient", pending_query(some) | {"lane": lane}):
                pending.setdefault(user, set()).add(lane)
    delivered: dict[str, dict[Lane, int]] = {}
    async for found in documents.aggregate(delivered_pipeline(users, delivered_since)):
        user, lane = found["_id"]["recipient"], found["_id"].get("lane")
        if lane is not None:  # a stub has none: what it stands for is not stored yet
            delivered.setdefault(user, {})[Lane(lane)] = found["ord"]
    return Waiting(pending, delivered)


def pending_query(users: Sequence[str]) -> Document:
    """Return the query for what is pending for `users`."""
    return {"recipient": {"$in": list(users)}, "state": State.PENDING}


def delivered_pipeline(users: Sequence[str], since: datetime) -> list[Document]:
    """Return the aggregation of the highest `ord` that was delivered `since` a moment, for each user and lane."""
    return [
        {"$match": {"recipient": {"$in": list(users)}, "delivered_at": {"$gte": since}}},
        {"$group": {"_id": {"recipient": "$recipient", "lane": "$lane"}, "ord": {"$max": "$ord"}}},
    ]
