"""Stubs: what is known of a notification before it is stored.

Urgent notifications go out while MongoDB is slow or away. When it is back, their receipts may come before they are
stored: then the receipt makes a stub. A sender may also retract what is still on its way, which makes a stub, too
(`early_retractions.py`). No read of a user sees a stub, since it has no lane and no `ord` and does not count as unread
(D-stub-unseen). The insert completes it (D-stub-completed). Stub and insert find each other by `_id`, so either may
come first, and both may come again.

A stub has `_id`, stub, state and purge_at; once somebody has acknowledged it, recipient and delivered_at; once it is
retracted, retracted_by (the senders) and noted_at. It retracts only a notification of one of these senders
(D-retract-own): nobody loses a notification because somebody else knew its id.
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

ANYBODY: Final = ""  # in `retracted_by`: retracts a notification of any sender; no sender has this name

_KEEP: Final = timedelta(days=limits.KEEP_DAYS)
_UNFOUND: Final = timedelta(days=limits.UNFOUND_DAYS)
FIELDS: Final = ["stub", "retracted_by", "noted_at"]


@dataclass(frozen=True, slots=True)
class Retraction:
    """The retraction of an id by the senders `by`, at the moment `at`. The notification may be of none of them."""

    id: str
    by: AbstractSet[str]
    at: datetime

    def query(self) -> Document:
        """Return the query for what it retracts."""
        return {"_id": self.id, "sender": {"$exists": True} if ANYBODY in self.by else {"$in": sorted(self.by)}}

    def is_of(self, sender: str) -> bool:
        """Return whether it retracts a notification of `sender`."""
        return sender in self.by or ANYBODY in self.by


def met(found: Sequence[Retraction], documents: Sequence[Document]) -> dict[str, str]:
    """Return the recipients, by id, of those `documents` whose sender retracts them."""
    by_id = {retraction.id: retraction for retraction in found}
    return {one["_id"]: one["recipient"] for one in documents if by_id[one["_id"]].is_of(one["sender"])}


def acknowledged(id_: str, user: str, at: datetime) -> list[UpdateOne]:
    """Return the writes which note that `user` has acknowledged `id_`.

    They change nothing when the notification is stored, or when the stub says so already.
    """
    known: Document = {"recipient": user, "state": State.DELIVERED, "delivered_at": at}
    kept: Document = {"purge_at": at + _KEEP}
    stub = {"stub": True, **known, **kept}
    return [
        UpdateOne({"_id": id_}, {"$setOnInsert": stub}, upsert=True),
        UpdateOne({"_id": id_, "stub": True, "recipient": {"$exists": False}}, {"$set": known, "$max": kept}),
    ]


def retracted(retraction: Retraction, now: datetime) -> list[UpdateOne]:
    """Return the writes which note a retraction. They change nothing when the notification is stored."""
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
    """Return the retractions noted for those of `ids` that are not stored. Raises one of `database.TRANSIENT`."""
    query = {"_id": {"$in": list(ids)}, "stub": True, "retracted_by": {"$exists": True}}
    found = await documents.find(query, FIELDS).to_list(None)
    return [noted for one in found if (noted := retraction(one))]


def retraction(stub: Document) -> Retraction | None:
    """Return the retraction that a stub notes; None if nobody has retracted it."""
    return Retraction(stub["_id"], set(stub["retracted_by"]), stub["noted_at"]) if "retracted_by" in stub else None


async def complete(documents: Collection, wholes: Sequence[Fields], now: datetime) -> dict[str, str]:
    """Complete stubs; what users and senders did with them stays. Return ids that can never be stored, and why.

    What was acknowledged counts as delivered `now`, because other devices that catch up read what was delivered since
    a moment. What was retracted is marked to be announced on `receipts`, because it may have been pushed before it was
    stored. Raises one of `database.TRANSIENT`; completing again is harmless.
    """
    writes = [(whole["_id"], write) for whole in wholes for write in _completed(whole, now)]
    refused = await database.write(documents, [write for _, write in writes])
    return {writes[failure.index][0]: failure.error for failure in refused}


def _completed(whole: Fields, now: datetime) -> list[UpdateOne]:
    """Return the writes for one stub. The first whose condition it meets completes it, and the others find no stub."""
    stub: Document = {"_id": whole["_id"], "stub": True}
    for_it = {"$in": [whole["recipient"], None]}
    given = {**whole, "unread": True}
    for mark in ("unannounced", "deferred", "late"):  # these do not apply to what was delivered or retracted
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
    # what expired before it was stored has ended and cannot be retracted, as if it had been stored first
    return [delivered, fresh] if whole["state"] == State.EXPIRED else [withdrawn, delivered, fresh]


def _merged(given: Document, later: Document) -> Document:
    return {"$mergeObjects": [{"$literal": given}, "$$ROOT", later]}
