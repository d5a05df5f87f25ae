"""Uses of ids that ended as dead letters, to tell their senders when they ask.

There is a document for each id and sender, with `_id` (`<id>/<sender>`), recipient, sender, type, lane, created_at,
uses and purge_at. It is kept apart from what is stored under the id, which belongs to another use or another sender and
must not change (D-dead-apart).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pymongo import ASCENDING, IndexModel, UpdateOne

from clarion.contracts import limits
from clarion.contracts.records.receipts import Receipt
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database, Document

INDEXES: Final = [IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0)]

_KEEP: Final = timedelta(days=limits.KEEP_DAYS)
_NONE: Final[list[Document]] = []
_LAST: Final = 10  # how many uses of one id are kept: the latest


def collection(within: Database) -> Collection:
    """Return the collection of this module's documents."""
    return within["deaths"]


async def note(deaths: Collection, receipts: Sequence[Receipt], now: datetime) -> None:
    """Keep what receipts `dead` say. Raises one of `database.TRANSIENT`; keeping the same again changes nothing.

    What MongoDB can never take is counted and left out: no service of ours has written such a receipt.
    """
    await database.write(deaths, [_noted(receipt, now) for receipt in receipts])


async def find(deaths: Collection, id_: str, sender: str | None) -> list[Document]:
    """Return the documents of an id and `sender`, or of all senders of the id when `sender` is None."""
    query: Document = {"_id": f"{id_}/{sender}"}
    if sender is None:
        query = {"_id": {"$gte": f"{id_}/", "$lt": f"{id_}0"}}  # `0` is what follows `/`
    return await deaths.find(query).sort("_id", ASCENDING).limit(_LAST).to_list(None)


def _noted(receipt: Receipt, now: datetime) -> UpdateOne:
    dead = receipt.dead
    assert dead is not None
    (id_,) = receipt.ids
    place = f"{dead.topic}/{dead.partition}/{dead.offset}"
    use = {"place": place, "at": receipt.at, "reason": dead.reason, "detail": dead.error}
    others = {
        "$filter": {"input": {"$ifNull": ["$uses", _NONE]}, "cond": {"$ne": ["$$this.place", place]}}
    }  # this record's own use is left out: the record may be read again
    change = {
        "recipient": receipt.user,
        "sender": dead.sender,
        "type": dead.type,
        "lane": str(dead.priority.value),
        "created_at": dead.created_at,
        "purge_at": now + _KEEP,
        "uses": [use],
    }
    literal: Document = {name: {"$literal": value} for name, value in change.items()}
    literal["uses"] = {"$slice": [{"$concatArrays": [others, {"$literal": [use]}]}, -_LAST]}
    return UpdateOne({"_id": f"{id_}/{dead.sender}"}, [{"$set": literal}], upsert=True)
