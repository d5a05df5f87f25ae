"""What users who arrive at once have waiting: a few covered queries for all of them, instead of several for each."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from clarion.contracts.api.status import State
from clarion.contracts.lanes import LANES, Lane
from clarion.store.driver.database import Collection, Document
from clarion.store.driver.failures import asked


@dataclass(frozen=True, slots=True)
class Waiting:
    """Of each user: in which lanes anything is pending, and the highest `ord` of each that was delivered since then."""

    pending: Mapping[str, Set[Lane]]
    delivered: Mapping[str, Mapping[Lane, int]]


@asked
async def waiting(documents: Collection, users: Sequence[str], delivered_since: datetime) -> Waiting:
    """Answered from indexes alone: of what is pending, a key a user and lane; of what was delivered, a key each.

    It may say more than there is to read (what has expired is still pending here), never less.
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
    return {"recipient": {"$in": list(users)}, "state": State.PENDING}


def delivered_pipeline(users: Sequence[str], since: datetime) -> list[Document]:
    return [
        {"$match": {"recipient": {"$in": list(users)}, "delivered_at": {"$gte": since}}},
        {"$group": {"_id": {"recipient": "$recipient", "lane": "$lane"}, "ord": {"$max": "$ord"}}},
    ]
