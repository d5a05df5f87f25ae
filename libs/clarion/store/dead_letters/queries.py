"""Finds dead letters: pages of them, one of them, and how many there are of each reason."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pymongo import ASCENDING, DESCENDING

from clarion.contracts.records.dead_letters import Reason
from clarion.store.dead_letters.letters import HEAVY, Letter, State, letter_of
from clarion.store.driver.database import Collection, Document
from clarion.store.driver.failures import asked

COUNTED: Final = 100_000  # more letters than this are counted as so many: counting goes through the index
_OF_A_PLACE: Final = 2  # slashes in topic/partition/offset; a topic's name has none
_ONE_PLACE: Final = 10  # letters of one place: of as many topics that had the name


class Position(NamedTuple):
    """Where a page of letters ends: they are ordered by when they died, then by id."""

    at: datetime
    id: str


@asked
async def page(
    letters: Collection, query: Document, *, after: Position | None, limit: int, oldest_first: bool = False
) -> list[Letter]:
    """Return up to `limit` letters after a position, without their content, the newest first unless `oldest_first`."""
    order, beyond = (ASCENDING, "$gt") if oldest_first else (DESCENDING, "$lt")
    if after:
        further: list[Document] = [{"at": {beyond: after.at}}, {"at": after.at, "_id": {beyond: after.id}}]
        query = {"$and": [query, {"$or": further}]}
    found = letters.find(query, dict.fromkeys(HEAVY, False)).sort([("at", order), ("_id", order)]).limit(limit)
    return [letter_of(document) async for document in found]


@asked
async def named(letters: Collection, name: str) -> list[Letter]:
    """Return the letters, without their content, that `name` names: an id, or a place, which is one without digest."""
    query: Document = {"_id": name}
    if name.count("/") == _OF_A_PLACE:
        query = {"_id": {"$gte": f"{name}/", "$lt": f"{name}0"}}  # `0` is what follows `/`
    found = letters.find(query, dict.fromkeys(HEAVY, False)).limit(_ONE_PLACE)
    return [letter_of(document) async for document in found]


@asked
async def find(letters: Collection, id_: str) -> Letter | None:
    """Return a letter with its content."""
    document = await letters.find_one({"_id": id_})
    return letter_of(document) if document else None


@asked
async def count(letters: Collection, query: Document) -> int:
    """Return how many letters a query finds, at most `COUNTED`."""
    return await letters.count_documents(query, limit=COUNTED)


async def kept(letters: Collection, reasons: Sequence[Reason]) -> dict[Reason, int]:
    """Return how many letters are kept and not replayed, by reason, at most `COUNTED` of each."""
    return {reason: await count(letters, {"state": State.KEPT, "reason": str(reason.value)}) for reason in reasons}
