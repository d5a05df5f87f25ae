"""Deferred notifications: the newest under a collapse key, throttled, and shown once no newer one came for a while.

Each has `deferred` beside its state `throttled`. A newer one takes that away, so at most one waits for each recipient,
lane and key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import ASCENDING

from clarion.contracts.api.status import State
from clarion.contracts.lanes import Lane
from clarion.store.driver.database import Collection, Document
from clarion.store.driver.failures import asked


@dataclass(frozen=True, slots=True)
class Deferred:
    """A deferred notification. `is_wanted`: nobody has read, retracted or replaced it meanwhile."""

    id: str
    recipient: str
    lane: Lane
    ord: int
    body: bytes
    is_wanted: bool


@asked
async def waiting(documents: Collection, stored_before: datetime, limit: int) -> list[Deferred]:
    """Return the first `limit` that were stored by `stored_before`, in the order in which they were stored."""
    query = {"deferred": True, "stored_at": {"$lte": stored_before}}
    fields = ["recipient", "lane", "ord", "body", "state", "unread"]
    found = await documents.find(query, fields).sort("stored_at", ASCENDING).limit(limit).to_list(None)
    return [Deferred(d["_id"], d["recipient"], Lane(d["lane"]), d["ord"], d["body"], _is_wanted(d)) for d in found]


def _is_wanted(document: Document) -> bool:
    """Return whether to show it. An earlier try may have made it pending, and ended before it was shown."""
    return document["unread"] is True and document["state"] in (State.THROTTLED, State.PENDING)


@asked
async def show(documents: Collection, ids: Sequence[str]) -> set[str]:
    """Make notifications pending, so that only an acknowledgement ends that; return the ids that are pending now.

    They are marked late, because a cursor may have passed them.
    """
    query: Document = {"_id": {"$in": list(ids)}, "unread": True}
    change = {"$set": {"state": State.PENDING, "late": True}}
    await documents.update_many(query | {"state": State.THROTTLED}, change)
    return {d["_id"] for d in await documents.find(query | {"state": State.PENDING}, ["_id"]).to_list(None)}


@asked
async def hold_back(documents: Collection, ids: Sequence[str]) -> None:
    """Leave notifications in the inbox without showing them, like throttled ones that have no collapse key."""
    query = {"_id": {"$in": list(ids)}, "state": State.THROTTLED}
    await documents.update_many(query, {"$set": {"unannounced": True}, "$unset": {"deferred": ""}})


@asked
async def settled(documents: Collection, ids: Sequence[str]) -> None:
    """Take `deferred` away from notifications that are shown, or no longer wanted."""
    await documents.update_many({"_id": {"$in": list(ids)}}, {"$unset": {"deferred": ""}})
