"""Which deployment this store belongs to: one id, made by the first process that asks, and lost only with the store."""

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from clarion.contracts.ids import new_id
from clarion.store.driver.database import Collection, Database

_ONE = "deployment"


def collection(database: Database) -> Collection:
    """Return the collection that has the deployment's document."""
    return database["deployment"]


async def identify(deployment: Collection) -> str:
    """Return the deployment's id, and make it if there is none yet. Majority-acknowledged.

    Raises one of `database.TRANSIENT`; calling it again is harmless.
    """
    change = {"$setOnInsert": {"id": new_id()}}
    try:
        document = await deployment.find_one_and_update(
            {"_id": _ONE}, change, upsert=True, return_document=ReturnDocument.AFTER
        )
    except DuplicateKeyError:  # another process was faster
        document = await deployment.find_one({"_id": _ONE})
    assert document is not None
    return document["id"]
