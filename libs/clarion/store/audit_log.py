"""The audit log: what operators did, kept for `AUDIT_DAYS`. It has no payloads.

An entry is written before its action begins, with the outcome `begun`, and again when it has ended. One that stays
`begun` is of an action that was interrupted, and may have been carried out in part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from pymongo import ASCENDING, DESCENDING, IndexModel

from clarion.contracts import limits
from clarion.contracts.ids import new_id
from clarion.store.driver.database import Collection, Database, Document
from clarion.store.driver.failures import asked


class Outcome(StrEnum):
    """How an action ended."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


_NEWEST: Final = [("at", DESCENDING), ("_id", DESCENDING)]
INDEXES: Final = [
    IndexModel(_NEWEST, name="newest"),
    IndexModel([("who", ASCENDING), *_NEWEST], name="who"),
    IndexModel([("action", ASCENDING), *_NEWEST], name="action"),
    IndexModel([("purge_at", ASCENDING)], name="purge", expireAfterSeconds=0),
]
_KEEP: Final = timedelta(days=limits.AUDIT_DAYS)


@dataclass(slots=True)
class Entry:
    """What somebody did. `via` is the way: `cli` or `console`. `about` says with what, and `detail` what came of it."""

    who: str
    via: str
    action: str
    at: datetime
    about: Mapping[str, object]
    outcome: Outcome = Outcome.BEGUN
    detail: str = ""
    ended_at: datetime | None = None
    id: str = field(default_factory=new_id)


class Position(NamedTuple):
    """Where a page of the log ends."""

    at: datetime
    id: str


def collection(within: Database) -> Collection:
    """Return the collection of the audit log."""
    return within["audit_log"]


@asked
async def put(entries: Collection, entry: Entry) -> None:
    """Write an entry, or write it again with its outcome. Raises one of `database.TRANSIENT`; repeats are harmless."""
    document: Document = {
        "who": entry.who,
        "via": entry.via,
        "action": entry.action,
        "at": entry.at,
        "about": dict(entry.about),
        "outcome": str(entry.outcome.value),
        "detail": entry.detail,
        "ended_at": entry.ended_at,
        "purge_at": entry.at + _KEEP,
    }
    await entries.replace_one({"_id": entry.id}, document, upsert=True)


@asked
async def page(
    entries: Collection,
    *,
    who: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: Position | None = None,
    limit: int,
) -> list[Entry]:
    """Return up to `limit` entries after a position, newest first. `until` is not part of the time."""
    parts: list[Document] = [{name: value} for name, value in (("who", who), ("action", action)) if value is not None]
    bounds: Document = {"$gte": since} if since else {}
    bounds |= {"$lt": until} if until else {}
    parts += [{"at": bounds}] if bounds else []
    parts += [{"$or": [{"at": {"$lt": after.at}}, {"at": after.at, "_id": {"$lt": after.id}}]}] if after else []
    found = entries.find({"$and": parts} if parts else {}).sort(_NEWEST).limit(limit)
    return [_entry(document) async for document in found]


def _entry(document: Document) -> Entry:
    return Entry(
        who=document["who"],
        via=document["via"],
        action=document["action"],
        at=document["at"],
        about=document["about"],
        outcome=Outcome(document["outcome"]),
        detail=document["detail"],
        ended_at=document["ended_at"],
        id=document["_id"],
    )
