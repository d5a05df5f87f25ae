"""The newest under a collapse key that its recipient's limit held back: it is shown once it has stayed the newest.

Each has `deferred` beside its state `throttled`. What replaces it takes that away; so of each recipient, lane and key
at most one waits.
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
    """`is_wanted`: nobody has read, retracted or replaced it meanwhile."""

    id: str
    recipient: str
    lane: Lane
    ord: int
    body: bytes
    is_wanted: bool


@asked
async def waiting(documents: Collection, stored_before: datetime, limit: int) -> list[Deferred]:
    """The first `limit`, in the order in which they were stored."""
    query = {"deferred": True, "stored_at": {"$lte": stored_before}}
    fields = ["recipient", "lane", "ord", "body", "state", "unread"]
    found = await documents.find(query, fields).sort("stored_at", ASCENDING).limit(limit).to_list(None)
    return [Deferred(d["_id"], d["recipient"], Lane(d["lane"]), d["ord"], d["body"], _is_wanted(d)) for d in found]


def _is_wanted(document: Document) -> bool:
    """Pending: it was to be shown, and nobody knows whether it was."""
    return document["unread"] is True and document["state"] in (State.THROTTLED, State.PENDING)


@asked
async def show(documents: Collection, ids: Sequence[str]) -> set[str]:
    """Make them pending, so that nothing but an acknowledgement ends that; returns which are.

    They come late: a cursor may have passed them.
    """
    query: Document = {"_id": {"$in": list(ids)}, "unread": True}
    change = {"$set": {"state": State.PENDING, "late": True}}
    await documents.update_many(query | {"state": State.THROTTLED}, change)
    return {d["_id"] for d in await documents.find(query | {"state": State.PENDING}, ["_id"]).to_list(None)}


@asked
async def hold_back(documents: Collection, ids: Sequence[str]) -> None:
    """They stay in the inbox and are not shown, as what has no collapse key."""
    query = {"_id": {"$in": list(ids)}, "state": State.THROTTLED}
    await documents.update_many(query, {"$set": {"unannounced": True}, "$unset": {"deferred": ""}})


@asked
async def settled(documents: Collection, ids: Sequence[str]) -> None:
    await documents.update_many({"_id": {"$in": list(ids)}}, {"$unset": {"deferred": ""}})
