"""Mailbox leases: one document for each mailbox, which is never deleted, so that epochs never restart.

The owner of mailbox n reads partition n of both delivery topics. `renewals` counts up while the owner lives. A taker
must have seen it unchanged for the lease time on its own clock, so clocks of different machines are never compared.
"""

from dataclasses import dataclass
from typing import Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from clarion.store.driver.database import Collection, Database, Document
from clarion.store.driver.failures import asked

RENEW_EVERY_S: Final = 5.0
TAKE_AFTER_S: Final = 20.0
# How often urgent lanes look who owns mailboxes, so that they know it when MongoDB no longer answers.
LOOK_EVERY_S: Final = 1.0
KNOWN_AFTER_S: Final = 1.5  # so long after a mailbox was taken, every urgent lane has looked


@dataclass(frozen=True, slots=True)
class Lease:
    """A mailbox and its owner, as stored. `owner` is empty after a release."""

    mailbox: int
    owner: str
    epoch: int
    renewals: int


def collection(database: Database) -> Collection:
    """Return the collection of leases."""
    return database["mailboxes"]


@asked
async def find_all(mailboxes: Collection) -> dict[int, Lease]:
    """Return the lease of each mailbox that was ever taken, by mailbox."""
    return {d["_id"]: _lease(d) async for d in mailboxes.find({})}


@asked
async def create(mailboxes: Collection, mailbox: int, owner: str) -> Lease | None:
    """Take a mailbox that nobody has ever had; return None when another gateway was faster."""
    lease = Lease(mailbox, owner, 1, 0)
    try:
        await mailboxes.insert_one({"_id": mailbox, "owner": owner, "epoch": 1, "renewals": 0})
    except DuplicateKeyError:
        return None
    return lease


@asked
async def take(mailboxes: Collection, seen: Lease, owner: str) -> Lease | None:
    """Take over a mailbox that is still as it was `seen`, with the next epoch; return None when it has changed."""
    query = {"_id": seen.mailbox, "epoch": seen.epoch, "renewals": seen.renewals, "owner": seen.owner}
    change = {"$set": {"owner": owner}, "$inc": {"epoch": 1, "renewals": 1}}
    return _maybe(await mailboxes.find_one_and_update(query, change, return_document=ReturnDocument.AFTER))


@asked
async def renew(mailboxes: Collection, lease: Lease) -> Lease | None:
    """Renew a lease; return None when it is lost, because the mailbox has another owner."""
    query = {"_id": lease.mailbox, "epoch": lease.epoch, "owner": lease.owner}
    change = {"$inc": {"renewals": 1}}
    return _maybe(await mailboxes.find_one_and_update(query, change, return_document=ReturnDocument.AFTER))


@asked
async def release(mailboxes: Collection, lease: Lease) -> None:
    """Give a mailbox back, unless it has another owner already."""
    query = {"_id": lease.mailbox, "epoch": lease.epoch, "owner": lease.owner}
    await mailboxes.update_one(query, {"$set": {"owner": ""}, "$inc": {"renewals": 1}})


def _lease(document: Document) -> Lease:
    return Lease(document["_id"], document["owner"], document["epoch"], document["renewals"])


def _maybe(document: Document | None) -> Lease | None:
    return _lease(document) if document else None
