"""What should have gone, or gone on, by now: documents to purge, notifications that have expired or are due."""

from collections.abc import Sequence
from datetime import datetime

from pymongo import ASCENDING

from clarion.store import indexes, mailboxes, notifications, scheduled, sessions
from clarion.store.driver.database import Database, Document
from clarion.store.driver.failures import asked
from clarion.store.notification_indexes import IN_INBOX
from clarion.store.scheduled import Held


@asked
async def unpurged(database: Database, before: datetime) -> dict[str, datetime]:
    """Return when the longest overdue document of each collection was to be purged, for those due `before` then.

    Raises one of `TRANSIENT`.
    """
    found: dict[str, datetime] = {}
    for collection, models in indexes.declared(database):
        if not any("expireAfterSeconds" in model.document for model in models):
            continue
        query: Document = {"purge_at": {"$lt": before}}
        if first := await collection.find_one(query, ["purge_at"], sort=[("purge_at", ASCENDING)]):
            found[collection.name] = first["purge_at"]
    return found


@asked
async def unexpired(database: Database, before: datetime) -> datetime | None:
    """Return when the longest overdue notification expired that is in an inbox still, if that is `before` then.

    Raises one of `TRANSIENT`.
    """
    query: Document = {"unread": IN_INBOX, "expires_at": {"$lt": before}}
    sort = [("expires_at", ASCENDING)]
    first = await notifications.collection(database).find_one(query, ["expires_at"], sort=sort)
    return first["expires_at"] if first else None


@asked
async def unreleased(database: Database, before: datetime, limit: int) -> int:
    """Return how many notifications are held though they were due `before` then, up to `limit`.

    Raises one of `TRANSIENT`.
    """
    query: Document = {"partition": {"$gte": 0}, "state": Held.WAITING, "due": {"$lt": before}}
    return await scheduled.collection(database).count_documents(query, limit=limit)


@asked
async def left_sessions(database: Database, limit: int) -> int:
    """Return how many sessions of earlier owners of mailboxes there are, up to `limit`. Raises one of `TRANSIENT`."""
    leases = await mailboxes.find_all(mailboxes.collection(database))
    # the sessions of a mailbox that was given back are all of earlier owners
    earlier: Sequence[Document] = [
        {"mailbox": lease.mailbox, "epoch": {"$lt": lease.epoch} if lease.owner else {"$lte": lease.epoch}}
        for lease in leases.values()
    ]
    return await sessions.collection(database).count_documents({"$or": earlier}, limit=limit) if earlier else 0
