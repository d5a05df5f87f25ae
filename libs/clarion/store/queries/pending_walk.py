"""Counts what is pending in each lane, a part of the index at a time: the whole of it may have millions of keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from pymongo import ASCENDING

from clarion.contracts.api.status import State
from clarion.contracts.lanes import LANES, Lane
from clarion.store.driver.database import Collection, Document
from clarion.store.driver.failures import asked
from clarion.store.notification_indexes import WAITING_SINCE

# One user may have more than a step is to read. More than so many steps' keys are not counted of one.
_STEPS_OF_A_USER: Final = 4


@dataclass(frozen=True, slots=True)
class Pending:
    """How many notifications are pending, and when the oldest of them was stored."""

    count: int
    oldest: datetime


class Step(NamedTuple):
    """What a step has found, by lane, and the last user that it counted; None when that was the last of all."""

    found: Mapping[Lane, Pending]
    last: str | None


@asked
async def step(documents: Collection, after: str, keys: int) -> Step:
    """Count what is pending of the users after `after`, in the order of their names, until some `keys` are read.

    A document without a lane, which no process of this version writes, is left out: one would keep all others from
    being told. A user is counted whole. MongoDB reads no documents, only the index, and twice as many keys as it
    counts. What has expired counts until it is marked, within a second.
    """
    last = await _last(documents, after, keys)
    rows = await documents.aggregate(count_pipeline(after, last, _STEPS_OF_A_USER * keys), hint=WAITING_SINCE).to_list(
        None
    )
    known = (row for row in rows if row["_id"] in LANES and row["oldest"])
    return Step({Lane(row["_id"]): Pending(row["count"], row["oldest"]) for row in known}, last)


async def _last(documents: Collection, after: str, keys: int) -> str | None:
    """Return the user whose key is the last of a step; None when fewer keys are left."""
    query: Document = {"recipient": {"$gt": after}, "state": State.PENDING}
    cursor = documents.find(query, {"recipient": 1, "_id": 0}).sort("recipient", ASCENDING).hint(WAITING_SINCE)
    rows = await cursor.skip(keys - 1).limit(1).to_list(None)
    return rows[0]["recipient"] if rows else None


def count_pipeline(after: str, last: str | None, most: int) -> list[Document]:
    """Return the aggregation that counts, by lane, what is pending of the users after `after` up to `last`."""
    users: Document = {"$gt": after} if last is None else {"$gt": after, "$lte": last}
    return [
        {"$match": {"recipient": users, "state": State.PENDING}},
        {"$limit": most},
        {"$group": {"_id": "$lane", "count": {"$sum": 1}, "oldest": {"$min": "$stored_at"}}},
    ]
