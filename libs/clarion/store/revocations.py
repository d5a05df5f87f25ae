"""Users whose tokens are refused if they were issued before a moment, kept for as long as such a token may live."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne

from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database
from clarion.store.driver.failures import asked

INDEXES: Final = [
    IndexModel([("before", ASCENDING)], name="latest"),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]

LATEST: Final = 10_000


def collection(within: Database) -> Collection:
    """Return the collection of revocations, one document for each user."""
    return within["revocations"]


async def revoke(revocations: Collection, user: str, before: datetime, keep_until: datetime) -> None:
    """Refuse tokens of `user` that were issued `before` a moment. A later moment that is stored already stays.

    Majority-acknowledged. Raises one of `database.TRANSIENT`, or `Unacceptable`; revoking again is harmless.
    """
    change = {"$max": {"before": before, "purge_at": keep_until}}
    for refused in await database.write(revocations, [UpdateOne({"_id": user}, change, upsert=True)]):
        raise database.Unacceptable(refused.error)


@asked
async def of(revocations: Collection, users: Sequence[str]) -> dict[str, datetime]:
    """Return the moment from which tokens are good, for those of `users` who had tokens revoked."""
    return {d["_id"]: d["before"] async for d in revocations.find({"_id": {"$in": list(users)}}, ["before"])}


@asked
async def since(revocations: Collection, moment: datetime) -> dict[str, datetime]:
    """Return the latest 10,000 revocations from `moment` on: by user, the moment from which tokens are good."""
    latest = revocations.find({"before": {"$gte": moment}}, ["before"]).sort("before", DESCENDING).limit(LATEST)
    return {d["_id"]: d["before"] async for d in latest}
