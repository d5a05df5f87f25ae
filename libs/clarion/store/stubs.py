"""Stubs: what is known of a notification that a client has acknowledged before it was stored.

Urgent notifications go out while MongoDB is slow or away. When it is back, their receipts may come before they do: the
receipt makes a stub, which no read sees, since it has no lane, no `ord` and does not count as unread [M]; the insert
completes it [M]. Both know the other by `_id`, so either may come first, and both may come again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pymongo import UpdateOne

from clarion.contracts import limits
from clarion.contracts.status import State
from clarion.store import database
from clarion.store.database import Collection, Fields

_KEEP: Final = timedelta(days=limits.KEEP_DAYS)


def upsert(id_: str, user: str, at: datetime) -> UpdateOne:
    """`user` has acknowledged `id_`. Changes nothing when the notification is stored, or the stub is there."""
    stub = {"recipient": user, "state": State.DELIVERED, "delivered_at": at, "stub": True, "purge_at": at + _KEEP}
    return UpdateOne({"_id": id_}, {"$setOnInsert": stub}, upsert=True)


async def complete(documents: Collection, wholes: Sequence[Fields], now: datetime) -> dict[str, str]:
    """Make stubs whole. What their users did with them stands. Returns the ids that can never be made so, and why.

    They count as delivered `now`: what other devices read on catching up is what was delivered since a moment. Raises
    one of `database.TRANSIENT`; completing again is harmless.
    """
    refused = await database.write(documents, [_completed(whole, now) for whole in wholes], ordered=False)
    return {wholes[failure.index]["_id"]: failure.error for failure in refused}


def _completed(whole: Fields, now: datetime) -> UpdateOne:
    given = {**whole, "unread": True}
    given.pop("unannounced", None)  # it was delivered, whatever became of it meanwhile
    later = {"delivered_at": now, "purge_at": whole["purge_at"]}
    merged = {"$mergeObjects": [{"$literal": given}, "$$ROOT", later]}
    return UpdateOne({"_id": whole["_id"], "stub": True}, [{"$replaceWith": merged}, {"$unset": "stub"}])
