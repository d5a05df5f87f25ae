"""Stubs: what is known of a notification before it is stored.

Urgent notifications go out while MongoDB is slow or away. When it is back, their receipts may come before they do: the
receipt makes a stub. And a sender may retract what is still on its way: that makes a stub, too
(`early_retractions.py`). No read of a user sees one, since it has no lane, no `ord` and does not count as unread
(D-stub-unseen); the insert completes it (D-stub-completed). Both know the other by `_id`, so either may come first, and
both may come again.

A stub: `_id`, stub, state and purge_at; recipient and delivered_at once somebody has acknowledged it; retracted_by (the
senders) and noted_at once it is retracted. It retracts only what is of one of these senders (D-retract-own): nobody
loses a notification by what somebody else knew of its id.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pymongo import UpdateOne

from clarion.contracts import limits
from clarion.contracts.api.status import State
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Document, Fields
from clarion.store.driver.failures import asked

ANYBODY: Final = ""  # among `retracted_by`, where no sender is called so: whoever's it is

_KEEP: Final = timedelta(days=limits.KEEP_DAYS)
_UNFOUND: Final = timedelta(days=limits.UNFOUND_DAYS)
FIELDS: Final = ["stub", "retracted_by", "noted_at"]


@dataclass(frozen=True, slots=True)
class Retraction:
    """Of an id, by senders whose it may be."""

    id: str
    by: AbstractSet[str]
    at: datetime

    def query(self) -> Document:
        """What it retracts, where that is stored."""
        return {"_id": self.id, "sender": {"$exists": True} if ANYBODY in self.by else {"$in": sorted(self.by)}}

    def is_of(self, sender: str) -> bool:
        return sender in self.by or ANYBODY in self.by


def met(found: Sequence[Retraction], documents: Sequence[Document]) -> dict[str, str]:
    """The recipients of `documents` that are of a sender who retracts them."""
    by_id = {retraction.id: retraction for retraction in found}
    return {one["_id"]: one["recipient"] for one in documents if by_id[one["_id"]].is_of(one["sender"])}


def acknowledged(id_: str, user: str, at: datetime) -> list[UpdateOne]:
    """`user` has acknowledged `id_`. Changes nothing when the notification is stored, or the stub says so already."""
    known: Document = {"recipient": user, "state": State.DELIVERED, "delivered_at": at}
    kept: Document = {"purge_at": at + _KEEP}
    stub = {"stub": True, **known, **kept}
    return [
        UpdateOne({"_id": id_}, {"$setOnInsert": stub}, upsert=True),
        UpdateOne({"_id": id_, "stub": True, "recipient": {"$exists": False}}, {"$set": known, "$max": kept}),
    ]


def retracted(retraction: Retraction, now: datetime) -> list[UpdateOne]:
    """Note a retraction. Changes nothing when the notification is stored."""
    by, at = sorted(retraction.by), retraction.at
    kept: Document = {"purge_at": now + _UNFOUND}
    stub = {"stub": True, "state": State.RETRACTED, "retracted_by": by, "noted_at": at, **kept}
    added = {"$addToSet": {"retracted_by": {"$each": by}}, "$min": {"noted_at": at}, "$max": kept}
    return [
        UpdateOne({"_id": retraction.id}, {"$setOnInsert": stub}, upsert=True),
        UpdateOne({"_id": retraction.id, "stub": True}, added),
    ]


@asked
async def retractions(documents: Collection, ids: Sequence[str]) -> list[Retraction]:
    """Those noted of `ids` that are not stored. Raises one of `database.TRANSIENT`."""
    query = {"_id": {"$in": list(ids)}, "stub": True, "retracted_by": {"$exists": True}}
    found = await documents.find(query, FIELDS).to_list(None)
    return [noted for one in found if (noted := retraction(one))]


def retraction(stub: Document) -> Retraction | None:
    """What a stub says of who has retracted it; None if nobody has."""
    return Retraction(stub["_id"], set(stub["retracted_by"]), stub["noted_at"]) if "retracted_by" in stub else None


async def complete(documents: Collection, wholes: Sequence[Fields], now: datetime) -> dict[str, str]:
    """Make stubs whole. What their users and senders did with them stands. Returns ids that can never be, and why.

    What was acknowledged counts as delivered `now`: what other devices read on catching up is what was delivered since
    a moment. What was retracted is to be told on `receipts`: it may have been pushed before it was stored. Raises one
    of `database.TRANSIENT`; completing again is harmless.
    """
    writes = [(whole["_id"], write) for whole in wholes for write in _completed(whole, now)]
    refused = await database.write(documents, [write for _, write in writes])
    return {writes[failure.index][0]: failure.error for failure in refused}


def _completed(whole: Fields, now: datetime) -> list[UpdateOne]:
    """The first that finds a stub makes it whole; what is known of it by then decides."""
    stub: Document = {"_id": whole["_id"], "stub": True}
    for_it = {"$in": [whole["recipient"], None]}
    given = {**whole, "unread": True}
    for mark in ("unannounced", "deferred", "late"):  # it was delivered or retracted, whatever became of it meanwhile
        given.pop(mark, None)
    kept = {"purge_at": whole["purge_at"]}
    gone = {"state": State.RETRACTED, "unread": None, "retracted_at": "$noted_at", "unannounced": True}
    withdrawn = UpdateOne(
        stub | {"recipient": for_it, "retracted_by": {"$in": [whole["sender"], ANYBODY]}},
        [{"$replaceWith": _merged(given, kept | gone)}, {"$unset": [*FIELDS, "archived"]}],
    )
    delivered = UpdateOne(
        stub | {"recipient": whole["recipient"]},
        [{"$replaceWith": _merged(given, kept | {"delivered_at": now})}, {"$unset": FIELDS}],
    )
    fresh = UpdateOne(stub | {"recipient": {"$exists": False}}, [{"$replaceWith": {"$literal": whole}}])
    # what expired before it was stored has ended: it is not retracted any more, as if it was stored first
    return [delivered, fresh] if whole["state"] == State.EXPIRED else [withdrawn, delivered, fresh]


def _merged(given: Document, later: Document) -> Document:
    return {"$mergeObjects": [{"$literal": given}, "$$ROOT", later]}
