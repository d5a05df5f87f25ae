"""Notifications that end by themselves, and those whose end is not announced on `receipts` yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from clarion.contracts.api.status import State
from clarion.contracts.records.receipts import Op
from clarion.store.driver.database import Collection
from clarion.store.driver.failures import asked
from clarion.store.notification_indexes import IN_INBOX, UNREAD_PURGE


@asked
async def expire(documents: Collection, *, now: datetime, purged_before: datetime, limit: int) -> int:
    """Take what has expired, or is unread and about to be purged, out of the inboxes; return how many.

    Up to `limit` of each are taken. What nobody received becomes `expired`; the others keep their state.
    """
    lapsed = documents.find({"unread": IN_INBOX, "expires_at": {"$lte": now}}, ["_id"])
    # The index is named. If both found nothing at first, the server might keep to `purge`, and go through all that was
    # read.
    unread = documents.find({"unread": True, "purge_at": {"$lte": purged_before}}, ["_id"]).hint(UNREAD_PURGE)
    due = {d["_id"] for found in (lapsed, unread) for d in await found.limit(limit).to_list(None)}
    if not due:
        return 0
    was_missed = {"$and": ["$unread", {"$in": ["$state", [State.PENDING, State.THROTTLED]]}]}
    change = {
        "state": {"$cond": [was_missed, State.EXPIRED, "$state"]},
        "unread": None,
        "expired_at": now,
        "unannounced": True,
    }
    result = await documents.update_many({"_id": {"$in": list(due)}, "unread": IN_INBOX}, [{"$set": change}])
    return result.modified_count


@asked
async def unannounced(documents: Collection, limit: int) -> list[tuple[str, str, Op]]:
    """Return id, recipient and kind of receipt of what has ended by itself and is not announced on `receipts` yet."""
    found = await documents.find({"unannounced": True}, ["recipient", "state"]).limit(limit).to_list(None)
    return [(d["_id"], d["recipient"], _ENDINGS.get(State(d["state"]), Op.LAPSED)) for d in found]


_ENDINGS: Final = {
    State.EXPIRED: Op.EXPIRED,
    State.COLLAPSED: Op.COLLAPSED,
    State.THROTTLED: Op.THROTTLED,
    State.RETRACTED: Op.RETRACTED,
}


@asked
async def announced(documents: Collection, ids: Sequence[str]) -> None:
    """Note that the ends of `ids` are announced."""
    await documents.update_many({"_id": {"$in": list(ids)}}, {"$unset": {"unannounced": ""}})
