"""Notifications that are held until they are due. What waits here is in no lane and in no inbox.

A document has `_id`, partition (of `notifications.scheduled`), due, state, recipient, sender, type, lane, created_at,
expires_at and digest. While it waits it also has `value` and `headers`, the record for its lane. Once released or
retracted, it stays until `purge_at`, which is longer than Kafka keeps the record that it was made of and the one that
was made of it: a redelivery finds it and brings nothing back. What waits is never purged.
"""

from collections.abc import Collection as Some
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pymongo import ASCENDING, IndexModel, UpdateMany

from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database
from clarion.store.driver.failures import asked
from clarion.store.updates import stubs
from clarion.store.updates.stubs import Retraction


class Held(StrEnum):
    """Where a held notification stands."""

    WAITING = "waiting"
    RELEASED = "released"
    RETRACTED = "retracted"


INDEXES: Final = [
    IndexModel(
        [("partition", ASCENDING), ("due", ASCENDING)],
        name="due",
        partialFilterExpression={"state": Held.WAITING},
    ),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]

KEEP: Final = timedelta(days=limits.KEEP_DAYS)
_PAYLOAD: Final = {"value": "", "headers": ""}


@dataclass(frozen=True, slots=True)
class Due:
    """A notification that is due. `value` and `headers` are the record for its lane."""

    id: str
    recipient: str
    lane: Lane
    due: datetime
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def collection(database: Database) -> Collection:
    """Return the collection of held notifications."""
    return database["scheduled"]


@asked
async def digests(held: Collection, ids: Some[str]) -> dict[str, bytes]:
    """Return the digest of the content of each of `ids` that is held, in whatever state."""
    found = await held.find({"_id": {"$in": list(ids)}}, ["digest"]).to_list(None)
    return {document["_id"]: document["digest"] for document in found}


@asked
async def due(held: Collection, partitions: Some[int], now: datetime, limit: int) -> list[Due]:
    """Return the first `limit` notifications that wait in `partitions` and are due, the earliest first."""
    query = {"partition": {"$in": list(partitions)}, "state": Held.WAITING, "due": {"$lte": now}}
    fields = ["recipient", "lane", "due", "value", "headers"]
    found = await held.find(query, fields).sort("due", ASCENDING).limit(limit).to_list(None)
    return [
        Due(
            id=document["_id"],
            recipient=document["recipient"],
            lane=Lane(document["lane"]),
            due=document["due"],
            value=document["value"],
            headers=[(name, content) for name, content in document["headers"]],
        )
        for document in found
    ]


@asked
async def next_due(held: Collection, partitions: Some[int]) -> datetime | None:
    """Return when the next notification that waits in `partitions` is due; None when none waits."""
    query = {"partition": {"$in": list(partitions)}, "state": Held.WAITING}
    found = await held.find(query, ["due"]).sort("due", ASCENDING).limit(1).to_list(None)
    return found[0]["due"] if found else None


@asked
async def released(held: Collection, ids: Some[str], now: datetime) -> int:
    """Mark as released what is in its lane now, and return how many still waited. What was retracted stays so."""
    query = {"_id": {"$in": list(ids)}, "state": Held.WAITING}
    change = {"state": Held.RELEASED, "released_at": now, "purge_at": now + KEEP}
    result = await held.update_many(query, {"$set": change, "$unset": _PAYLOAD})
    return result.modified_count


async def retract(held: Collection, ids: Some[str], user: str, at: datetime, now: datetime) -> None:
    """Retract those of `ids` that are held for `user`. Raises one of `database.TRANSIENT`, or `Unacceptable`.

    One that is released already is marked, too, since its lane looks for that.
    """
    query = {"_id": {"$in": list(ids)}, "recipient": user, "state": {"$ne": Held.RETRACTED}}
    change = {"state": Held.RETRACTED, "retracted_at": at, "purge_at": now + KEEP}
    for refused in await database.write(held, [UpdateMany(query, {"$set": change, "$unset": _PAYLOAD})]):
        raise database.Unacceptable(refused.error)


@asked
async def take_back(held: Collection, found: Sequence[Retraction], now: datetime) -> dict[str, str]:
    """Retract what `found` names, for any recipient, if its sender is one of those who retract it.

    Returns the recipients of what is retracted by now, by id. What MongoDB can never take is counted and left out.
    Raises one of `database.TRANSIENT`; taking the same back again is harmless.
    """
    if not found:
        return {}
    kept = {"state": Held.RETRACTED, "purge_at": now + KEEP}
    writes = [
        UpdateMany(
            one.query() | {"state": {"$ne": Held.RETRACTED}},
            {"$set": {**kept, "retracted_at": one.at}, "$unset": _PAYLOAD},
        )
        for one in found
    ]
    await database.write(held, writes)
    query = {"_id": {"$in": [one.id for one in found]}, "state": Held.RETRACTED}
    return stubs.met(found, await held.find(query, ["recipient", "sender"]).to_list(None))


@asked
async def retracted(held: Collection, ids: Some[str]) -> set[str]:
    """Return those of `ids` that are retracted."""
    query = {"_id": {"$in": list(ids)}, "state": Held.RETRACTED}
    return {document["_id"] for document in await held.find(query, ["_id"]).to_list(None)}


@asked
async def settle(held: Collection, partitions: int) -> int:
    """Move what waits in partitions that the topic no longer has, since it was made anew, into some that it has.

    Returns how many were moved. Without this, no worker would own those partitions and release what waits in them.
    """
    query = {"state": Held.WAITING, "partition": {"$gte": partitions}}
    result = await held.update_many(query, [{"$set": {"partition": {"$mod": ["$partition", partitions]}}}])
    return result.modified_count
