"""A document that spoils the whole insert command is found, refused alone, and costs its neighbours nothing."""

from typing import Any

import pytest
from bson import Binary

from clarion.contracts.ids import new_id
from clarion.store import notifications
from clarion.store.database import Database, Fields


def plain(user: str) -> dict[str, Any]:
    return {"_id": new_id(), "recipient": user, "state": "pending"}


def too_large(user: str) -> Fields:
    return plain(user) | {"body": Binary(b"x" * (17 * 1024 * 1024))}


def unencodable(user: str) -> Fields:
    return plain(user) | {"ord": 1 << 63}


def unknown_type(user: str) -> Fields:
    return plain(user) | {"body": object()}


@pytest.mark.parametrize("spoil", [too_large, unencodable, unknown_type])
@pytest.mark.parametrize("place", [0, 3, 6])
async def test_one_that_spoils_the_command_is_refused_alone(
    spoil: Any, place: int, stored: Database, user: str
) -> None:
    documents = notifications.collection(stored)
    good = [plain(user) for _ in range(6)]
    bad = spoil(user)
    batch = [*good[:place], bad, *good[place:]]
    inserted = await notifications.insert(documents, batch)
    assert list(inserted.refused) == [bad["_id"]]
    assert inserted.refused[bad["_id"]]
    assert inserted.repeats == frozenset()
    assert {d["_id"] async for d in documents.find({"recipient": user})} == {d["_id"] for d in good}
    again = await notifications.insert(documents, batch)
    assert (again.repeats, set(again.refused)) == ({d["_id"] for d in good}, {bad["_id"]})
