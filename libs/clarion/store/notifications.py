"""Stored notifications: insert them, collapse them, look repeats up, and read them for catching up.

What receipts do to them is in `updates/receipt_updates.py`, and how they end by themselves in `updates/endings.py`.

A document has `_id`, recipient, lane, ord, type, sender, state, unread and available_at (see `queries/inbox.py`),
archived, created_at, stored_at, expires_at, purge_at, deliver_at, collapse_key and body. The body is the client's item
as encoded JSON, so that neither replay nor the gateway encodes it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Final

import msgspec
from pymongo import ASCENDING

from clarion.contracts.api.status import State
from clarion.contracts.lanes import Lane
from clarion.contracts.limits import UNREAD_CAP
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database, Document, Fields, LoopCollection, LoopDatabase
from clarion.store.driver.failures import asked

NAME: Final = "notifications"
_KEYS_PER_QUERY: Final = 200
# What a newer notification under the same collapse key replaces. One that its user has read stays, even if the user has
# marked it unread again.
_REPLACEABLE: Final[Document] = {
    "unread": True,
    "state": {"$in": [State.PENDING, State.DELIVERED, State.THROTTLED]},
}


@dataclass(frozen=True, slots=True)
class Stored:
    """What a lane needs to know of a document that was there before.

    A `stub` has nothing but its recipient, which is empty until somebody has acknowledged it, and the senders who have
    retracted it.
    """

    id: str
    recipient: str
    lane: Lane
    ord: int
    state: State
    delivered_at: datetime | None
    collapse_key: str | None
    deliver_at: datetime | None
    body: bytes
    stub: bool
    retracted_by: frozenset[str] = frozenset()


class Pending(msgspec.Struct, frozen=True, gc=False):
    """An item that a catch-up read finds. `pending` is False if another device has acknowledged it."""

    id: str
    ord: int
    body: bytes
    pending: bool = True


def collection(within: Database) -> Collection:
    """Return the collection of notifications."""
    return within[NAME]


def waiting(within: LoopDatabase) -> LoopCollection:
    """Return the collection of notifications of a database from `connect_reads`, for catch-up reads."""
    return within[NAME]


@dataclass(frozen=True, slots=True)
class Inserted:
    """What became of an insert, by id.

    `repeats` were there before. `late` were inserted by a later try than the others. `refused` can never be stored, and
    `waiting` failed for a reason that passes and have to be tried again, both with the reason.
    """

    repeats: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    late: frozenset[str] = frozenset()
    waiting: Mapping[str, str] = field(default_factory=dict[str, str])


async def insert(documents: Collection, batch: Sequence[Fields]) -> Inserted:
    """Store a window in one unordered bulk write, majority-acknowledged.

    Raises one of `database.TRANSIENT` when it is unknown what was written. The caller then tries the same batch again,
    which `_id` makes safe.
    """
    failures = [(batch[failure.index]["_id"], failure) for failure in await database.insert(documents, batch)]
    return Inserted(
        repeats=frozenset(id_ for id_, failure in failures if failure.is_repeat),
        refused={id_: f.error for id_, f in failures if not (f.is_repeat or f.passing)},
        waiting={id_: f.error for id_, f in failures if f.passing},
    )


@asked
async def collapse(documents: Collection, lane: Lane, keys: Iterable[tuple[str, str]], now: datetime) -> set[str]:
    """Collapse what nobody has read under each (recipient, key), but for the highest `ord`; return the collapsed ids.

    It makes no difference whether one was pushed, delivered or held back by a limit: the newest state is in the inbox
    once, and counts once. Call it after the insert, and again on a repeat. Then the highest stored `ord` wins, whatever
    was interrupted.
    """
    clauses = [{"recipient": r, "lane": lane, "collapse_key": key, **_REPLACEABLE} for r, key in keys]
    found: list[Document] = []
    for start in range(0, len(clauses), _KEYS_PER_QUERY):
        query = {"$or": clauses[start : start + _KEYS_PER_QUERY]}
        found += await documents.find(query, ["recipient", "collapse_key", "ord"]).to_list(None)
    found.sort(key=itemgetter("ord"))
    newest = {(document["recipient"], document["collapse_key"]): document["_id"] for document in found}
    older = {document["_id"] for document in found} - set(newest.values())
    if older:
        change = {"state": State.COLLAPSED, "unread": None, "collapsed_at": now, "unannounced": True}
        query = {"_id": {"$in": list(older)}, **_REPLACEABLE}
        await documents.update_many(query, {"$set": change, "$unset": {"deferred": ""}})
    return older


@asked
async def find(documents: Collection, ids: Sequence[str]) -> dict[str, Stored]:
    """Return what is stored under `ids`, stubs included; ids that are not there are absent."""
    fields = ["recipient", "lane", "ord", "state", "delivered_at", "collapse_key", "deliver_at", "body", "stub"]
    fields.append("retracted_by")
    return {
        document["_id"]: Stored(
            id=document["_id"],
            recipient=document.get("recipient", ""),
            lane=Lane(document.get("lane", Lane.URGENT)),
            ord=document.get("ord", -1),
            state=State(document["state"]),
            delivered_at=document.get("delivered_at"),
            collapse_key=document.get("collapse_key"),
            deliver_at=document.get("deliver_at"),
            body=document.get("body", b""),
            stub=document.get("stub", False),
            retracted_by=frozenset(document.get("retracted_by", ())),
        )
        async for document in documents.find({"_id": {"$in": list(ids)}}, fields)
    }


@asked
async def catch_up(
    documents: Collection | LoopCollection,
    user: str,
    lane: Lane,
    *,
    after: int,
    delivered_since: datetime | None,
    limit: int,
    now: datetime,
) -> list[Pending]:
    """Return up to `limit` items of a user's lane above the cursor `after`, in order.

    They are pending, or another device has acknowledged them since `delivered_since` (D-read-delivered). What has
    expired is left out, whether it is marked as expired yet or not.
    """
    lasting: Document = {"expires_at": {"$not": {"$lte": now}}}  # in this form the planner keeps to the lane's index
    query: Document = {"recipient": user, "lane": lane, "ord": {"$gt": after}, "state": State.PENDING, **lasting}
    found = [Pending(one["_id"], one["ord"], one["body"]) for one in await _next(documents, query, limit)]
    if delivered_since is not None:
        query = {
            "recipient": user,
            "delivered_at": {"$gte": delivered_since},
            "lane": lane,
            "ord": {"$gt": after},
            "state": {"$in": [State.DELIVERED, State.READ]},
            **lasting,
        }
        if seen := await _next(documents, query, limit):
            # one that was acknowledged between the two queries is in both
            by_ord = {item.ord: item for item in found} | {
                one["ord"]: Pending(one["_id"], one["ord"], one["body"], pending=False) for one in seen
            }
            found = [by_ord[ord_] for ord_ in sorted(by_ord)[:limit]]
    return found


async def _next(documents: Collection | LoopCollection, query: Document, limit: int) -> list[Document]:
    # all in one batch: each further one would cost a round trip to the server, and with motor a hop to a thread
    return (
        await documents.find(query, ["ord", "body"]).sort("ord", ASCENDING).limit(limit).batch_size(limit).to_list(None)
    )


@asked
async def pending_up_to(documents: Collection, user: str, cursors: Mapping[Lane, int], limit: int) -> list[str]:
    """Return pending ids at or below a client's cursors: it has handled them, and its acknowledgement was lost.

    What came late is left out, since nobody knows whether a cursor has passed it unseen (D-late).
    """
    query: Document = {
        "recipient": user,
        "state": State.PENDING,
        "late": {"$ne": True},
        "$or": [{"lane": lane, "ord": {"$lte": ord_}} for lane, ord_ in cursors.items()],
    }
    return [d["_id"] async for d in documents.find(query, ["_id"]).limit(limit)]


@asked
async def come_late(documents: Collection, ids: Sequence[str]) -> None:
    """Mark what became visible after what follows it (D-late): a cursor may have passed it. Call it before it is sent.

    Each stays pending until it is acknowledged itself. A gateway's safety net sends it again until then.
    """
    await documents.update_many({"_id": {"$in": list(ids)}}, {"$set": {"late": True}})


@asked
async def unread(documents: Collection, user: str) -> int:
    """Return a user's unread count, up to `UNREAD_CAP`. Counting further would cost, and clients show no more."""
    return await documents.count_documents({"recipient": user, "unread": True}, limit=UNREAD_CAP)
