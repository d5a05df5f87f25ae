"""What the looks at the ledger remember: one document, which all observers share, so that a restart loses nothing.

It has `_id`, `looked_at`, `read` (how far each partition was looked at), and `suspects` (what did not fit). Its content
is that of `operating/ledger/sampling.py`.
"""

from datetime import datetime, timedelta
from typing import Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from clarion.store.driver.database import Collection, Database, Document
from clarion.store.driver.failures import asked

_ID: Final = "look"


def collection(within: Database) -> Collection:
    """Return the collection of this module's document."""
    return within["ledger"]


@asked
async def claim(ledger: Collection, now: datetime, every: timedelta) -> Document | None:
    """Take the turn to look, and return what is remembered; None when the last look began less than `every` ago.

    So of several observers one looks each time. Raises one of `database.TRANSIENT`.
    """
    query: Document = {"_id": _ID, "looked_at": {"$lte": now - every}}
    change: Document = {"$set": {"looked_at": now}}
    try:
        return await ledger.find_one_and_update(query, change, upsert=True, return_document=ReturnDocument.AFTER)
    except DuplicateKeyError:  # it is there, and was looked at lately
        return None


@asked
async def find(ledger: Collection) -> Document:
    """Return what is remembered; nothing before the first look. Raises one of `database.TRANSIENT`."""
    return await ledger.find_one({"_id": _ID}) or {}


@asked
async def save(ledger: Collection, claimed_at: datetime, remembered: Document) -> bool:
    """Remember what a look has found; return False when another one has begun since. Raises one of `TRANSIENT`."""
    result = await ledger.update_one({"_id": _ID, "looked_at": claimed_at}, {"$set": remembered})
    return result.matched_count == 1
