"""Whose tokens are refused, if they were issued before a moment. Kept for as long as such a token may live."""

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
    return within["revocations"]


async def revoke(revocations: Collection, user: str, before: datetime, keep_until: datetime) -> None:
    """Refuse tokens of `user` issued before a moment. A later moment that is stored already stands.

    Majority-acknowledged. Raises one of `database.TRANSIENT`, or `Unacceptable`; doing it again is harmless.
    """
    change = {"$max": {"before": before, "purge_at": keep_until}}
    for refused in await database.write(revocations, [UpdateOne({"_id": user}, change, upsert=True)]):
        raise database.Unacceptable(refused.error)


@asked
async def of(revocations: Collection, users: Sequence[str]) -> dict[str, datetime]:
    """From when on tokens are good, of those users who have had some revoked."""
    return {d["_id"]: d["before"] async for d in revocations.find({"_id": {"$in": list(users)}}, ["before"])}


@asked
async def since(revocations: Collection, moment: datetime) -> dict[str, datetime]:
    """Of what was revoked since, the latest 10,000."""
    latest = revocations.find({"before": {"$gte": moment}}, ["before"]).sort("before", DESCENDING).limit(LATEST)
    return {d["_id"]: d["before"] async for d in latest}
