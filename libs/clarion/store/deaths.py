"""Uses of ids that ended as dead letters: what their senders are told when they ask.

A document for each id and sender: `_id` (`<id>/<sender>`), recipient, type, lane, created_at, uses and purge_at. Apart
from what is stored under the id, which is another use, or somebody else's: nothing of it changes (D-dead-apart).
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
_LAST: Final = 10  # uses of one id that are kept, the latest


def collection(within: Database) -> Collection:
    return within["deaths"]


async def note(deaths: Collection, receipts: Sequence[Receipt], now: datetime) -> None:
    """Keep what receipts `dead` tell. Raises one of `database.TRANSIENT`; the same again changes nothing.

    What MongoDB can never take is counted and left out: somebody else has written that receipt.
    """
    await database.write(deaths, [_noted(receipt, now) for receipt in receipts])


async def find(deaths: Collection, id_: str, sender: str | None) -> list[Document]:
    """Of an id and `sender` (None: of all its senders)."""
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
    }  # a record that is read again
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
