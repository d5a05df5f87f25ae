"""Who is connected, and through which mailbox. One document for each user, mailbox and epoch (D-session-epoch)."""

from collections.abc import Mapping, Sequence
from typing import Final

from pymongo import ASCENDING, DeleteOne, IndexModel, UpdateOne

from clarion.contracts import times
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database, Document
from clarion.store.driver.failures import asked

INDEXES: Final = [
    IndexModel([("user", ASCENDING), ("mailbox", ASCENDING)], name="route"),
    IndexModel([("mailbox", ASCENDING), ("epoch", ASCENDING)], name="sweep"),
]


def collection(within: Database) -> Collection:
    return within["sessions"]


def _id(user: str, mailbox: int, epoch: int) -> Document:
    return {"user": user, "mailbox": mailbox, "epoch": epoch}


def present(user: str, mailbox: int, epoch: int, sequence: int) -> UpdateOne:
    """`user` has a connection at this gateway. `sequence` is the gateway's own, and only grows."""
    key = _id(user, mailbox, epoch)
    change = {"$set": key | {"at": times.now()}, "$max": {"sequence": sequence}}
    return UpdateOne({"_id": key}, change, upsert=True)


def absent(user: str, mailbox: int, epoch: int, sequence: int) -> DeleteOne:
    """`user` has none any more. Applies up to its own `sequence`: no later `present` is undone (D-session-sequence)."""
    return DeleteOne({"_id": _id(user, mailbox, epoch), "sequence": {"$lte": sequence}})


async def write(sessions: Collection, changes: Sequence[UpdateOne | DeleteOne]) -> dict[int, str]:
    """Apply changes in order, majority-acknowledged. Returns which can never be made, and why; all others are.

    Raises one of `database.TRANSIENT`; writing again is harmless.
    """
    return {failure.index: failure.error for failure in await database.write(sessions, changes)}


@asked
async def route(sessions: Collection, users: Sequence[str]) -> dict[str, set[int]]:
    """The mailboxes of each user who is connected, of whatever epoch (D-route-all); other users are absent."""
    mailboxes: dict[str, set[int]] = {}
    found = sessions.find({"user": {"$in": list(users)}}, {"_id": 0, "user": 1, "mailbox": 1})
    for session in await found.to_list(None):  # a hop to the driver's thread for each batch, not for each document
        mailboxes.setdefault(session["user"], set()).add(session["mailbox"])
    return mailboxes


@asked
async def sweep(sessions: Collection, mailbox: int, epoch: int) -> int:
    """Remove sessions of earlier owners of a mailbox (D-sweep-older); an expired lease alone removes none."""
    result = await sessions.delete_many({"mailbox": mailbox, "epoch": {"$lt": epoch}})
    return result.deleted_count


@asked
async def sweep_all(sessions: Collection, first: Mapping[int, int]) -> int:
    """Remove sessions of epochs before the `first` that counts of each mailbox, in one call."""
    if not first:
        return 0  # MongoDB takes no empty choice
    before = [{"mailbox": mailbox, "epoch": {"$lt": epoch}} for mailbox, epoch in first.items()]
    result = await sessions.delete_many({"$or": before})
    return result.deleted_count
