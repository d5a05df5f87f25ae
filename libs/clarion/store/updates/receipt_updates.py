"""What receipts do to stored notifications. Each sets its time once, never goes back, and may come again.

A user may undo a mark, so the order of marks counts. A receipt may come late: it waited in a producer while Kafka was
away, or for the receipts role, while the user undid the mark over HTTP. So each mark leaves its time, even where it
changes nothing else, and a mark that is older than the time it finds does nothing. `marked_at` is the time of read and
unread, `filed_at` that of archive and unarchive. There are two, so that what is archived and then read ends up archived
in whichever order the receipts come.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import UpdateMany, UpdateOne

from clarion.contracts.api.status import State
from clarion.contracts.records.receipts import Op
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Document
from clarion.store.updates import stubs


@dataclass(frozen=True, slots=True)
class Change:
    """What `op` does to the `ids` of `user`, or of any user when `user` is None because the ids are known to be right.

    With `unstored`, the ids were delivered before they were stored, and may not be there yet.
    """

    op: Op
    ids: tuple[str, ...]
    at: datetime
    user: str | None = None
    unstored: bool = False

    def writes(self) -> list[UpdateOne | UpdateMany]:
        """Return the writes that make this change. Raises OverflowError when `at` is at the end of what dates hold."""
        if not self.unstored or self.user is None:
            return [self._update()]
        return [*(write for id_ in self.ids for write in stubs.acknowledged(id_, self.user, self.at)), self._update()]

    def _update(self) -> UpdateMany:
        query: Document = {"_id": {"$in": list(self.ids)}}
        if self.user is not None:
            query["recipient"] = self.user
        condition, change = _EFFECTS[self.op](self.at)
        return UpdateMany(query | condition, change)


def _set_once(field: str, at: datetime) -> Document:
    return {field: {"$ifNull": [f"${field}", at]}}


# How far gateways' clocks differ at most: marks that are closer together apply in the order in which they come.
CLOCKS_APART: Final = timedelta(seconds=0.5)

_UNTOUCHED: Final = {"stub": True, "unread": {"$exists": False}}  # a stub of which nothing else is known
_IN_INBOX: Final = {"unread": {"$type": "bool"}}
_ARCHIVED: Final = {"archived": True}


def _delivered(at: datetime) -> tuple[Document, Any]:
    return {"state": State.PENDING}, {"$set": {"state": State.DELIVERED, "delivered_at": at}}


def _mark(conditions: list[Document], change: Document, at: datetime, *leaving: str) -> tuple[Document, Any]:
    """Return a condition and a change for what is in one of `conditions` and was not marked later.

    The change leaves `at` in the `leaving` fields, and the first of them tells whether a later mark came before.
    """
    not_undone = {leaving[0]: {"$not": {"$gt": at + CLOCKS_APART}}}
    return {"$or": conditions, **not_undone}, [
        {"$set": change | {name: {"$max": [f"${name}", at]} for name in leaving}}
    ]


def _read(at: datetime) -> tuple[Document, Any]:
    live = {"$in": ["$state", [State.PENDING, State.DELIVERED]]}
    state = {"$cond": [live, State.READ, "$state"]}
    times = _set_once("read_at", at) | _set_once("delivered_at", at)
    return _mark([_IN_INBOX, _UNTOUCHED], {"state": state, "unread": False, **times}, at, "marked_at")


def _unread(at: datetime) -> tuple[Document, Any]:
    # a stub loses the field, as when it was made: it must not count as unread (D-stub-unseen)
    return _mark([_IN_INBOX], {"unread": {"$cond": ["$stub", "$$REMOVE", True]}}, at, "marked_at")


def _archived(at: datetime) -> tuple[Document, Any]:
    times = _set_once("archived_at", at) | _set_once("delivered_at", at)
    state = {"$cond": [{"$eq": ["$state", State.PENDING]}, State.DELIVERED, "$state"]}
    change = {"state": state, "archived": True, "unread": None, **times}
    return _mark([_IN_INBOX, _ARCHIVED, _UNTOUCHED], change, at, "filed_at", "marked_at")


def _unarchived(at: datetime) -> tuple[Document, Any]:
    was_archived = {"$eq": ["$archived", True]}
    change = {
        "archived": {"$cond": [was_archived, False, "$archived"]},
        "unread": {"$cond": [was_archived, False, "$unread"]},
    }
    return _mark([_IN_INBOX, _ARCHIVED], change, at, "filed_at", "marked_at")


def retracted(at: datetime) -> tuple[Document, Any]:
    """Return the condition under which a notification is retracted, and the change."""
    live = [State.PENDING, State.DELIVERED, State.READ, State.THROTTLED]
    change = {"state": State.RETRACTED, "unread": None, "retracted_at": at}
    return {"state": {"$in": live}}, {"$set": change, "$unset": {"archived": ""}}


_EFFECTS: Final = {
    Op.DELIVERED: _delivered,
    Op.READ: _read,
    Op.UNREAD: _unread,
    Op.ARCHIVED: _archived,
    Op.UNARCHIVED: _unarchived,
    Op.RETRACTED: retracted,
}

FOLDABLE: Final = frozenset(_EFFECTS)


@dataclass(frozen=True, slots=True)
class Refused:
    """A change of one id that can never be made, and why."""

    change: Change
    error: str


async def fold(documents: Collection, changes: Sequence[Change]) -> list[Refused]:
    """Apply receipts in bulk, in the order given. Return those that can never be applied; all others are.

    A change of many ids that fails is tried again in halves, after the others. That is safe, because a receipt that
    comes late does no harm (see the module). Raises one of `database.TRANSIENT`; folding the same again is harmless.
    """
    writes: list[UpdateOne | UpdateMany] = []
    change_of: list[int] = []  # for each write, the number of its change
    failed: dict[int, str] = {}
    for number, change in enumerate(changes):
        try:
            made = change.writes()
        except OverflowError as error:  # its moment is at the end of what a date can hold
            failed[number] = str(error)
        else:
            writes += made
            change_of += [number] * len(made)
    failed |= {change_of[failure.index]: failure.error for failure in await database.write(documents, writes)}
    refused = [Refused(changes[number], error) for number, error in failed.items() if len(changes[number].ids) == 1]
    halves = [half for number in failed if len(changes[number].ids) > 1 for half in _halves(changes[number])]
    return refused + await fold(documents, halves) if halves else refused


def _halves(change: Change) -> tuple[Change, Change]:
    middle = len(change.ids) // 2
    return replace(change, ids=change.ids[:middle]), replace(change, ids=change.ids[middle:])
