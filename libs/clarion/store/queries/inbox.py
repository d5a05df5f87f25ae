"""A user's inbox, which has what is neither retracted, expired, collapsed nor archived; and the archive beside it.

`unread` is true or false while a notification is in the inbox, and null once it has left. So a page reads little more
than what it shows, however many notifications have left.

Documents of earlier versions have no `available_at`. They get one when the first page of their user's inbox is read. To
a user who has no such documents this costs one look into the index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pymongo import DESCENDING

from clarion.contracts.api.inbox import PageCursor
from clarion.store.driver.database import Collection, Document
from clarion.store.driver.failures import asked

_FIELDS: Final = ["available_at", "body", "unread"]
_NEWEST_FIRST: Final = [("available_at", DESCENDING), ("_id", DESCENDING)]
_MILLISECOND: Final = timedelta(milliseconds=1)  # dates are stored to the millisecond
_AT_ONCE: Final = 64  # documents that the driver holds at once, since a page may turn out to be large


@dataclass(frozen=True, slots=True)
class Kept:
    """An item of a page. `body` is the client's item as encoded JSON."""

    page_cursor: PageCursor
    body: bytes
    unread: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the inbox or of the archive, the newest item first."""

    items: Sequence[Kept]
    has_more: bool


@asked
async def page(
    documents: Collection,
    user: str,
    *,
    unread_only: bool,
    archived: bool,
    after: PageCursor | None,
    limit: int,
    most_bytes: int,
    now: datetime,
) -> Page:
    """Return up to `limit` items, newest first. The item with which they reach `most_bytes` is the last one.

    What has expired is left out, even before it is marked as expired. Until it is marked, for a second at most, the
    unread count still includes it. Raises one of `database.TRANSIENT`.
    """
    mine: Document = {"recipient": user}
    mine |= {"archived": True} if archived else {"unread": True if unread_only else {"$in": [True, False]}}
    if after is None:
        await _date_earlier_ones(documents, mine)
    query = mine | {"expires_at": {"$not": {"$lte": now}}, "stub": {"$exists": False}}
    items: list[Kept] = []
    size = 0
    for part in _parts(query, after):
        wanted = limit + 1 - len(items)
        found = documents.find(part, _FIELDS).sort(_NEWEST_FIRST).limit(wanted).batch_size(min(wanted, _AT_ONCE))
        async for document in found:
            if len(items) == limit or size >= most_bytes:
                await found.close()
                return Page(items, has_more=True)
            page_cursor = PageCursor(document["available_at"], document["_id"])
            items.append(Kept(page_cursor, document["body"], bool(document["unread"])))
            size += len(document["body"])
    return Page(items, has_more=False)


def _parts(query: Document, after: PageCursor | None) -> list[Document]:
    """Return queries of ranges of the index, in order. For a single query with `$or` the server would sort them all."""
    if after is None:
        return [query]
    # A range of one moment. With an equality the server does not see that read and unread ones come in order.
    moment = {"$gt": after.available_at - _MILLISECOND, "$lte": after.available_at}
    earlier = {"available_at": {"$lt": after.available_at}}
    return [query | {"available_at": moment, "_id": {"$lt": after.id}}, query | earlier]


async def _date_earlier_ones(documents: Collection, mine: Document) -> None:
    """Date what an earlier version stored: as far as is known, it became available when it was created."""
    undated = mine | {"available_at": None, "created_at": {"$exists": True}}
    if await documents.find_one(undated, ["_id"]):
        await documents.update_many(undated, [{"$set": {"available_at": "$created_at"}}])


@asked
async def unread_ids(documents: Collection, user: str, limit: int) -> list[str]:
    """Return up to `limit` ids of what is unread, the newest first. Raises one of `database.TRANSIENT`."""
    found = documents.find({"recipient": user, "unread": True}, ["_id"]).sort(_NEWEST_FIRST).limit(limit)
    return [document["_id"] for document in await found.to_list(None)]
