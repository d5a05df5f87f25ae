"""Which users are connected, through which mailbox: one document for each user, mailbox and epoch (D-session-epoch)."""

from collections.abc import Mapping, Sequence
from typing import Final

from pymongo import ASCENDING, DeleteOne, IndexModel, UpdateOne

from clarion.contracts import times
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database, Document
from clarion.store.driver.failures import asked

Change = UpdateOne | DeleteOne  # of one session

INDEXES: Final = [
    IndexModel([("user", ASCENDING), ("mailbox", ASCENDING)], name="route"),
    IndexModel([("mailbox", ASCENDING), ("epoch", ASCENDING)], name="sweep"),
]


def collection(within: Database) -> Collection:
    """Return the collection of sessions."""
    return within["sessions"]


def _id(user: str, mailbox: int, epoch: int) -> Document:
    return {"user": user, "mailbox": mailbox, "epoch": epoch}


def present(user: str, mailbox: int, epoch: int, sequence: int) -> UpdateOne:
    """Return the write that says: `user` has a connection at this gateway.

    `sequence` is the gateway's own number, which only grows.
    """
    key = _id(user, mailbox, epoch)
    change = {"$set": key | {"at": times.now()}, "$max": {"sequence": sequence}}
    return UpdateOne({"_id": key}, change, upsert=True)


def absent(user: str, mailbox: int, epoch: int, sequence: int) -> DeleteOne:
    """Return the write that says: `user` has no connection at this gateway any more.

    It applies to a session up to its own `sequence`, so that it undoes no later `present` (D-session-sequence).
    """
    return DeleteOne({"_id": _id(user, mailbox, epoch), "sequence": {"$lte": sequence}})


async def write(sessions: Collection, changes: Sequence[Change]) -> dict[int, str]:
    """Apply changes in order, majority-acknowledged. Return those that can never be made, by index, with the reason.

    All others are made. Raises one of `database.TRANSIENT`; writing again is harmless.
    """
    return {failure.index: failure.error for failure in await database.write(sessions, changes)}


@asked
async def route(sessions: Collection, users: Sequence[str]) -> dict[str, set[int]]:
    """Return the mailboxes of each connected user, whatever the epochs (D-route-all). Other users are absent."""
    mailboxes: dict[str, set[int]] = {}
    found = sessions.find({"user": {"$in": list(users)}}, {"_id": 0, "user": 1, "mailbox": 1})
    for session in await found.to_list(None):  # one hop to the driver's thread a batch, instead of one a document
        mailboxes.setdefault(session["user"], set()).add(session["mailbox"])
    return mailboxes


@asked
async def sweep(sessions: Collection, mailbox: int, epoch: int) -> int:
    """Remove the sessions of a mailbox's earlier owners (D-sweep-older), and return how many there were.

    A lease that has merely expired removes none.
    """
    result = await sessions.delete_many({"mailbox": mailbox, "epoch": {"$lt": epoch}})
    return result.deleted_count


@asked
async def sweep_all(sessions: Collection, first: Mapping[int, int]) -> int:
    """Remove, in one call, the sessions of epochs before the `first` that counts in each mailbox; return how many."""
    if not first:
        return 0  # MongoDB refuses an empty `$or`
    before = [{"mailbox": mailbox, "epoch": {"$lt": epoch}} for mailbox, epoch in first.items()]
    result = await sessions.delete_many({"$or": before})
    return result.deleted_count
