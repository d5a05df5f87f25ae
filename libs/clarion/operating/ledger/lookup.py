"""Ask the store for what is stored and held, by ids or one after the other, some hundred at a time."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pymongo

from clarion.contracts import limits
from clarion.operating.ledger.judging import fields
from clarion.operating.ledger.judging.fields import Kept, Waiting
from clarion.resilience.retry import retry
from clarion.store import notifications, scheduled
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database, Document
from clarion.store.driver.failures import asked
from clarion.store.notification_indexes import PURGE
from clarion.store.scheduled import Held

AT_ONCE: Final = 500
WITHIN_S: Final = 60.0  # for each question, with its tries
_KEEP: Final = timedelta(days=limits.KEEP_DAYS)


@dataclass(slots=True)
class Found:
    """What the store has under some ids."""

    kept: dict[str, Kept] = field(default_factory=dict[str, Kept])
    held: dict[str, Waiting] = field(default_factory=dict[str, Waiting])
    stubs: set[str] = field(default_factory=set[str])


async def by_id(within: Database, ids: Sequence[str]) -> Found:
    """Return what the store has under `ids`. Raises one of `database.TRANSIENT` after WITHIN_S.

    What is held is asked for first: what is released between the two questions is found twice, and not never.
    """
    query: Document = {"_id": {"$in": list(ids)}}
    held = await _ask(scheduled.collection(within), query, fields.HELD_FIELDS)
    stored = await _ask(notifications.collection(within), query, dict.fromkeys(fields.STORED_FIELDS, 1))
    return _found(stored, held)


def _found(stored: Sequence[Document], held: Sequence[Document]) -> Found:
    found = Found(held={one["_id"]: fields.waiting_of(one) for one in held})
    for document in stored:
        if document.get("stub"):
            found.stubs.add(document["_id"])
        else:
            found.kept[document["_id"]] = fields.kept_of(document)
    return found


async def _ask(documents: Collection, query: Document, projection: Document) -> list[Document]:
    @asked
    async def find() -> list[Document]:
        return await documents.find(query, projection).to_list(None)

    return await retry(find, "mongodb", *database.TRANSIENT, within_s=WITHIN_S)


async def all_stored(within: Database, since: datetime | None) -> AsyncGenerator[list[Document]]:
    """Yield what was stored since a moment, `AT_ONCE` documents at a time, without stubs.

    The index of `purge_at` finds it, since nothing is purged earlier than KEEP_DAYS after it was stored. Raises one of
    `database.TRANSIENT`.
    """
    documents = notifications.collection(within)
    query: Document = {"stub": {"$exists": False}}
    cursor = documents.find(query, dict.fromkeys(fields.STORED_FIELDS, 1))
    if since is not None:
        query |= {"purge_at": {"$gte": since + _KEEP}, "stored_at": {"$gte": since}}
        cursor = documents.find(query, dict.fromkeys(fields.STORED_FIELDS, 1)).hint(PURGE)
    async for batch in _batches(cursor):
        yield batch


async def all_held(within: Database, since: datetime | None) -> AsyncGenerator[list[Document]]:
    """Yield what waits, and what was created since a moment. Raises one of `database.TRANSIENT`."""
    either: list[Document] = [{"state": Held.WAITING}, {"created_at": {"$gte": since}}]
    cursor = scheduled.collection(within).find({"$or": either} if since else {}, fields.HELD_FIELDS)
    async for batch in _batches(cursor):
        yield batch


async def _batches(cursor: Any) -> AsyncGenerator[list[Document]]:
    cursor = cursor.batch_size(AT_ONCE)

    @asked
    async def more() -> list[Document]:
        with pymongo.timeout(WITHIN_S):
            return await cursor.to_list(AT_ONCE)

    while batch := await more():
        yield batch


async def counts(within: Database) -> tuple[int, int]:
    """Return about how many documents are stored and held, to show progress."""
    return (
        await notifications.collection(within).estimated_document_count(),
        await scheduled.collection(within).estimated_document_count(),
    )
