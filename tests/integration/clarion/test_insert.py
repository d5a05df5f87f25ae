"""A document that spoils the whole insert command is found, refused alone, and costs its neighbours nothing."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import bson
import pytest
from bson import Binary
from bson.raw_bson import RawBSONDocument

from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries, notification
from clarion.contracts.records.deliveries import Unstored
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from clarion.resilience.backoff import Backoff
from clarion.store import notifications
from clarion.store.driver.database import Database, Fields
from clarion.store.notifications import Inserted
from services.stream.engine.stage_order import Ticket
from services.stream.steps.decode import decode_window
from services.stream.steps.records import late_records
from services.stream.steps.store import insert_all, store
from tests.unit.records import batch


def plain(user: str) -> dict[str, Any]:
    return {"_id": new_id(), "recipient": user, "state": "pending"}


def too_large(user: str) -> Fields:
    return plain(user) | {"body": Binary(b"x" * (17 * 1024 * 1024))}


def unencodable(user: str) -> Fields:
    return plain(user) | {"ord": 1 << 63}


def unknown_type(user: str) -> Fields:
    return plain(user) | {"body": object()}


async def test_what_goes_in_at_once_is_not_decoded(stored: Database, user: str) -> None:
    """To ask a raw document for one field decodes all of it: a fifth of what a lane spends on a notification."""

    class Opaque(RawBSONDocument):
        def __getitem__(self, field: str) -> Any:
            raise AssertionError(f"{field} was asked for")

    window = [Opaque(bson.encode(plain(user))) for _ in range(3)]
    assert await insert_all(notifications.collection(stored), window, Ticket(), None) == Inserted()
    assert await notifications.collection(stored).count_documents({"recipient": user}) == len(window)


async def test_what_a_later_try_stores_is_late_and_passes_any_cursor(
    stored: Database, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It became visible after its followers: a client that caught up meanwhile has a cursor beyond it."""
    documents, refusing = notifications.collection(stored), asyncio.Event()

    class Waiting(Backoff):
        def delay(self, failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
            refusing.set()
            return 0.05

    monkeypatch.setattr("services.stream.steps.store._POISON", Waiting())
    items = [
        Notification(id=new_id(), type="t", message=str(n), recipient=name, sender="s", created_at=times.now())
        for n, name in enumerate([user, f"{user}-late", user])
    ]
    window = batch([notification.encode(item) for item in items])
    entries = list(decode_window([window], Lane.URGENT, 0, 1, times.now()).entries.values())
    await stored.command({"collMod": "notifications", "validator": {"recipient": {"$ne": f"{user}-late"}}})
    try:
        storing = asyncio.create_task(store(documents, Lane.URGENT, entries, Ticket(), None, times.now()))
        await refusing.wait()
    finally:
        await stored.command({"collMod": "notifications", "validator": {}})
    outcome = await storing
    assert [item.id for item in outcome.items] == [item.id for item in items]
    assert outcome.late == {items[1].id}
    late = [item for item in outcome.items if item.id in outcome.late]
    (record,) = late_records(Names(), Lane.URGENT, late, {user: {1}, f"{user}-late": {2}})
    assert record["partition"] == 2
    delivery = deliveries.decode(record["value"])
    assert isinstance(delivery, Unstored)
    assert [item.id for item in delivery.items] == [items[1].id]


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
