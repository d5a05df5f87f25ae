"""Mailbox leases: one document a mailbox, never deleted, so that epochs never restart.

Whoever owns mailbox n reads partition n of both delivery topics. `renewals` counts up while the owner lives; a taker
must have seen it unchanged for the lease time on its own clock, so no clocks are compared between machines.
"""

from dataclasses import dataclass
from typing import Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from clarion.store.driver.database import Collection, Database, Document
from clarion.store.driver.failures import asked

RENEW_EVERY_S: Final = 5.0
TAKE_AFTER_S: Final = 20.0
LOOK_EVERY_S: Final = 1.0  # urgent lanes, for whom to reach when they can ask no more
KNOWN_AFTER_S: Final = 1.5  # of taking a mailbox: every lane has looked since


@dataclass(frozen=True, slots=True)
class Lease:
    """`owner` is empty after a release."""

    mailbox: int
    owner: str
    epoch: int
    renewals: int


def collection(database: Database) -> Collection:
    return database["mailboxes"]


@asked
async def read_all(mailboxes: Collection) -> dict[int, Lease]:
    return {d["_id"]: _lease(d) async for d in mailboxes.find({})}


@asked
async def create(mailboxes: Collection, mailbox: int, owner: str) -> Lease | None:
    """Take a mailbox nobody has ever had; None when somebody was faster."""
    lease = Lease(mailbox, owner, 1, 0)
    try:
        await mailboxes.insert_one({"_id": mailbox, "owner": owner, "epoch": 1, "renewals": 0})
    except DuplicateKeyError:
        return None
    return lease


@asked
async def take(mailboxes: Collection, seen: Lease, owner: str) -> Lease | None:
    """Take over a mailbox as it was `seen`, with the next epoch; None when it has changed since."""
    query = {"_id": seen.mailbox, "epoch": seen.epoch, "renewals": seen.renewals, "owner": seen.owner}
    change = {"$set": {"owner": owner}, "$inc": {"epoch": 1, "renewals": 1}}
    return _maybe(await mailboxes.find_one_and_update(query, change, return_document=ReturnDocument.AFTER))


@asked
async def renew(mailboxes: Collection, lease: Lease) -> Lease | None:
    """Renew; None when another owner has it: the lease is lost."""
    query = {"_id": lease.mailbox, "epoch": lease.epoch, "owner": lease.owner}
    change = {"$inc": {"renewals": 1}}
    return _maybe(await mailboxes.find_one_and_update(query, change, return_document=ReturnDocument.AFTER))


@asked
async def release(mailboxes: Collection, lease: Lease) -> None:
    query = {"_id": lease.mailbox, "epoch": lease.epoch, "owner": lease.owner}
    await mailboxes.update_one(query, {"$set": {"owner": ""}, "$inc": {"renewals": 1}})


def _lease(document: Document) -> Lease:
    return Lease(document["_id"], document["owner"], document["epoch"], document["renewals"])


def _maybe(document: Document | None) -> Lease | None:
    return _lease(document) if document else None
