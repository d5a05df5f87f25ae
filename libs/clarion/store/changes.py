"""What receipts do to stored notifications: each sets its time once, never goes back, and may come again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pymongo import UpdateMany, UpdateOne

from clarion.contracts.receipts import Op
from clarion.contracts.status import State
from clarion.store import database, stubs
from clarion.store.database import Collection, Document


@dataclass(frozen=True, slots=True)
class Change:
    """What `op` does to the `ids` of `user`, or of anybody when the ids are known to be right.

    `unstored` ids were delivered before they were stored, and may not be there yet.
    """

    op: Op
    ids: tuple[str, ...]
    at: datetime
    user: str | None = None
    unstored: bool = False

    def writes(self) -> list[UpdateOne | UpdateMany]:
        if not self.unstored or self.user is None:
            return [self._update()]
        return [*(stubs.upsert(id_, self.user, self.at) for id_ in self.ids), self._update()]

    def _update(self) -> UpdateMany:
        query: Document = {"_id": {"$in": list(self.ids)}}
        if self.user is not None:
            query["recipient"] = self.user
        condition, change = _EFFECTS[self.op](self.at)
        return UpdateMany(query | condition, change)


def _set_once(field: str, at: datetime) -> Document:
    return {field: {"$ifNull": [f"${field}", at]}}


_UNTOUCHED: Final = {"stub": True, "unread": {"$exists": False}}  # a stub of which nothing else is known


def _delivered(at: datetime) -> tuple[Document, Any]:
    return {"state": State.PENDING}, {"$set": {"state": State.DELIVERED, "delivered_at": at}}


def _read(at: datetime) -> tuple[Document, Any]:
    live = {"$in": ["$state", [State.PENDING, State.DELIVERED]]}
    state = {"$cond": [live, State.READ, "$state"]}
    times = _set_once("read_at", at) | _set_once("delivered_at", at)
    return {"$or": [{"unread": True}, _UNTOUCHED]}, [{"$set": {"state": state, "unread": False, **times}}]


def _unread(_: datetime) -> tuple[Document, Any]:
    # a stub becomes as it was made: it must not count as unread [M]
    return {"unread": False}, [{"$set": {"unread": {"$cond": ["$stub", "$$REMOVE", True]}}}]


def _archived(at: datetime) -> tuple[Document, Any]:
    times = _set_once("archived_at", at) | _set_once("delivered_at", at)
    state = {"$cond": [{"$eq": ["$state", State.PENDING]}, State.DELIVERED, "$state"]}
    inside = {"$or": [{"unread": {"$type": "bool"}}, _UNTOUCHED]}
    return inside, [{"$set": {"state": state, "archived": True, "unread": None, **times}}]


def _unarchived(_: datetime) -> tuple[Document, Any]:
    return {"archived": True}, {"$set": {"archived": False, "unread": False}}


def _retracted(at: datetime) -> tuple[Document, Any]:
    live = [State.PENDING, State.DELIVERED, State.READ, State.THROTTLED]
    change = {"state": State.RETRACTED, "unread": None, "retracted_at": at}
    return {"state": {"$in": live}}, {"$set": change, "$unset": {"archived": ""}}


_EFFECTS: Final = {
    Op.DELIVERED: _delivered,
    Op.READ: _read,
    Op.UNREAD: _unread,
    Op.ARCHIVED: _archived,
    Op.UNARCHIVED: _unarchived,
    Op.RETRACTED: _retracted,
}

FOLDABLE: Final = frozenset(_EFFECTS)


async def fold(documents: Collection, changes: Sequence[Change]) -> None:
    """Apply receipts in bulk, in the order given.

    Raises one of `database.TRANSIENT`; folding the same again is harmless.
    """
    await database.write(documents, [write for change in changes for write in change.writes()])
