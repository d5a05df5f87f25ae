"""Acknowledged before it was stored: whichever comes first, receipt or insert, the outcome is the same document."""

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from clarion.contracts import limits, order, times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries, notification
from clarion.contracts.records.notification import Notification
from clarion.contracts.records.receipts import Op
from clarion.store import notifications, raw_documents
from clarion.store.driver import database
from clarion.store.driver.database import Collection, Database
from clarion.store.notifications import Pending, State
from clarion.store.queries import inbox
from clarion.store.updates import early_retractions, receipt_updates, stubs
from clarion.store.updates.receipt_updates import Change
from clarion.store.updates.stubs import Retraction
from services.stream.engine.stage_order import Ticket
from services.stream.steps.decode import Entry, decode_window
from services.stream.steps.store import Outcome, store
from tests.unit.records import batch

NOW = times.now()


def entry(user: str, message: str = "hello", id_: str | None = None) -> Entry:
    item = Notification(
        id=id_ or new_id(), type="t", message=message, recipient=user, sender="s", data={"$set": "$not a path"},
        created_at=NOW, expires_at=NOW + timedelta(days=90),
    )  # fmt: skip
    decoded = decode_window([batch([notification.encode(item)], 41)], Lane.URGENT, 0, 1, NOW)
    (found,) = decoded.entries.values()
    return found


async def insert(stored: Database, *entries: Entry) -> Outcome:
    return await store(notifications.collection(stored), Lane.URGENT, entries, Ticket(), None, NOW + timedelta(hours=1))


async def fold(stored: Database, op: Op, user: str, *ids: str, unstored: bool = False) -> None:
    await receipt_updates.fold(notifications.collection(stored), [Change(op, ids, NOW, user, unstored)])


async def retract(stored: Database, id_: str, *senders: str, at: datetime = NOW) -> None:
    await early_retractions.note(notifications.collection(stored), [Retraction(id_, set(senders), at)], NOW)


async def document(stored: Database, id_: str) -> dict[str, Any]:
    found = await notifications.collection(stored).find_one({"_id": id_})
    assert found is not None
    return found


@pytest.mark.parametrize("steps", list(itertools.permutations(["insert", "ack", "read"])), ids=" ".join)
async def test_the_order_of_insert_and_receipts_makes_no_difference(
    steps: tuple[str, ...], stored: Database, user: str
) -> None:
    """A read that comes before both the insert and the acknowledgement cannot come: the user has acknowledged first."""
    if steps.index("read") < steps.index("ack"):
        steps = ("ack", *(step for step in steps if step != "ack"))
    one = entry(user)
    for step in steps * 2:  # everything may come again
        if step == "insert":
            await insert(stored, one)
        elif step == "ack":
            await fold(stored, Op.DELIVERED, user, one.id, unstored=True)
        else:
            await fold(stored, Op.READ, user, one.id)
    found = await document(stored, one.id)
    (plain,) = raw_documents.encode([one], Lane.URGENT, NOW, NOW)
    assert found["state"] == State.READ
    assert not found["unread"]
    assert found["read_at"] >= NOW
    assert "stub" not in found
    fields = ("recipient", "lane", "ord", "body", "type", "sender")
    assert {key: found[key] for key in fields} == {key: plain[key] for key in fields}
    assert found["expires_at"] == one.expires_at
    assert found["purge_at"] >= one.expires_at


MARKS = {
    "read": Op.READ, "unread": Op.UNREAD, "archive": Op.ARCHIVED, "unarchive": Op.UNARCHIVED, "retract": Op.RETRACTED,
}  # fmt: skip


@pytest.mark.parametrize(
    "marks",
    [
        "read unread",
        "read archive",
        "archive read",
        "archive unarchive",
        "archive unarchive unread",
        "unread",
        "read unread retract",
        "archive retract unarchive",
        "retract read archive unread",
    ],
)
async def test_marks_before_the_insert_end_as_marks_after_it(marks: str, stored: Database, user: str) -> None:
    documents = notifications.collection(stored)
    ends: list[tuple[object, ...]] = []
    for place in range(len(marks.split()) + 1):
        one = entry(user)
        await fold(stored, Op.DELIVERED, user, one.id, unstored=True)
        steps = [*marks.split()[:place], "insert", *marks.split()[place:]]
        for step in steps:
            if step == "insert":
                assert await notifications.unread(documents, user) == 0
                for archived in (False, True):
                    assert (await page(documents, user, archived=archived)).items == []
                await insert(stored, one)
            else:
                await fold(stored, MARKS[step], user, one.id)
        found = await document(stored, one.id)
        counted = await notifications.unread(documents, user)
        shown = [[item.unread for item in (await page(documents, user, archived=a)).items] for a in (False, True)]
        ends.append((found["state"], found["unread"], counted, *shown))
        await documents.delete_many({"recipient": user})
    assert len(set(map(repr, ends))) == 1, ends


async def page(documents: Collection, user: str, *, archived: bool) -> inbox.Page:
    return await inbox.page(
        documents, user, unread_only=False, archived=archived, after=None, limit=9, most_bytes=10**6, now=NOW
    )


async def replayed(documents: Collection, user: str, since: datetime) -> list[Pending]:
    return await notifications.catch_up(documents, user, Lane.URGENT, after=-1, delivered_since=since, limit=9, now=NOW)


async def test_no_read_sees_a_stub_until_the_insert_completes_it(stored: Database, user: str) -> None:
    documents, one = notifications.collection(stored), entry(user)
    await fold(stored, Op.DELIVERED, user, one.id, unstored=True)
    stub = await document(stored, one.id)
    assert stub["purge_at"] > NOW + timedelta(days=29)
    assert await replayed(documents, user, NOW - timedelta(hours=1)) == []
    assert await notifications.unread(documents, user) == 0
    outcome = await insert(stored, one)
    assert [item.id for item in outcome.items] == [one.id], "another device may have missed it"
    assert (outcome.fresh, outcome.dead) == (1, [])
    assert await notifications.unread(documents, user) == 1
    # for other devices' catching up it was delivered when it was completed
    (seen,) = await replayed(documents, user, NOW + timedelta(minutes=50))
    assert (seen.id, seen.ord, seen.pending) == (one.id, order.pack(0, 41), False)
    assert deliveries.content(seen.body)[3] == {"$set": "$not a path"}


async def test_a_stub_of_another_user_is_no_licence_for_the_id(stored: Database, user: str) -> None:
    one = entry(user)
    await fold(stored, Op.DELIVERED, f"{user}-else", one.id, unstored=True)
    outcome = await insert(stored, one)
    assert (outcome.items, len(outcome.dead)) == ([], 1)
    assert (await document(stored, one.id))["recipient"] == f"{user}-else"


async def test_no_other_receipt_makes_a_document(stored: Database, user: str) -> None:
    for op in (Op.DELIVERED, Op.READ, Op.UNREAD, Op.ARCHIVED, Op.UNARCHIVED):
        await fold(stored, op, user, new_id())
    assert await notifications.collection(stored).count_documents({"recipient": user}) == 0


def end_of(found: dict[str, Any]) -> tuple[object, ...]:
    assert not {"stub", "retracted_by", "noted_at"} & set(found)
    return found["state"], found["unread"], found["recipient"], "delivered_at" in found, "retracted_at" in found


@pytest.mark.parametrize("by", ["s", stubs.ANYBODY, "another"])
@pytest.mark.parametrize("acknowledged", [False, True])
async def test_the_order_of_insert_and_retraction_makes_no_difference(
    by: str, acknowledged: bool, stored: Database, user: str
) -> None:
    ends: set[tuple[object, ...]] = set()
    for steps in itertools.permutations(["insert", "retract", *(["ack"] if acknowledged else [])]):
        one = entry(user)
        outcomes: list[Outcome] = []
        for step in steps * 2:  # everything may come again
            if step == "insert":
                outcomes.append(await insert(stored, one))
            elif step == "ack":
                await fold(stored, Op.DELIVERED, user, one.id, unstored=True)
            else:
                await retract(stored, one.id, by)
        # what is retracted first is not emitted; what another retracts is, whatever comes first
        first = outcomes[0]
        assert bool(first.items) == (by == "another" or steps.index("insert") < steps.index("retract"))
        assert (first.fresh, first.dead) == (1, [])
        ends.add(end_of(await document(stored, one.id)))
        assert await notifications.unread(notifications.collection(stored), user) == int(by == "another")
        await notifications.collection(stored).delete_many({"recipient": user})
    state = (State.DELIVERED if acknowledged else State.PENDING) if by == "another" else State.RETRACTED
    if acknowledged and by != "another":
        # a receipt that comes after the retraction does nothing, one that comes before it leaves its time
        assert {end[:3] for end in ends} == {(state, None, user)}
    else:
        assert ends == {(state, True if by == "another" else None, user, acknowledged, by != "another")}


@pytest.mark.parametrize("at", ["insert", "find", "complete"])
@pytest.mark.parametrize("split", [1, 2])
async def test_a_retraction_during_the_insert_is_not_lost(
    at: str, split: int, stored: Database, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after each step of the lane's, and with a step of the lane's between its own."""
    documents, one = notifications.collection(stored), entry(user)
    await retract(stored, one.id, "another")  # so that the lane meets a stub, and takes all its steps
    place, name = {
        "insert": (notifications, "insert"), "find": (notifications, "find"), "complete": (stubs, "complete"),
    }[at]  # fmt: skip
    do = getattr(place, name)
    writes = early_retractions.writes(Retraction(one.id, {"s"}, NOW), NOW)

    async def between(*args: Any) -> Any:
        await database.write(documents, writes[:split])
        done = await do(*args)
        await database.write(documents, writes[split:])
        return done

    monkeypatch.setattr(place, name, between)
    await insert(stored, one)
    assert end_of(await document(stored, one.id)) == (State.RETRACTED, None, user, False, True)


async def test_expiry_and_throttling_end_a_stub_as_a_stored_one(stored: Database, user: str) -> None:
    for expired, state in ((True, State.EXPIRED), (False, State.RETRACTED)):
        ends: set[tuple[object, ...]] = set()
        for first in ("insert", "retract"):
            one = entry(user)
            one.expired, one.throttled = expired, not expired
            for step in (first, *({"insert", "retract"} - {first})):
                if step == "insert":
                    assert (await insert(stored, one)).items == []
                else:
                    await retract(stored, one.id, "s")
            found = await document(stored, one.id)
            ends.add((found["state"], found["unread"]))
        assert ends == {(state, None)}


async def test_what_completes_a_strangers_stub_is_late_and_whole(stored: Database, user: str) -> None:
    """Not visible when what follows it was: a cursor may have passed it."""
    one = entry(user)
    await retract(stored, one.id, "another")
    outcome = await insert(stored, one)
    assert outcome.late == {one.id}
    found = await document(stored, one.id)
    assert found.pop("late")
    await notifications.collection(stored).delete_one({"_id": one.id})
    await insert(stored, one)
    assert found == await document(stored, one.id)


async def test_a_stub_that_is_purged_while_it_is_met_costs_nothing(
    stored: Database, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = notifications.collection(stored)
    for place, name in ((notifications, "find"), (stubs, "complete")):
        do, one = getattr(place, name), entry(user)

        async def purged(*args: Any, do: Any = do, id_: str = one.id) -> Any:
            await documents.delete_one({"_id": id_, "stub": True})
            return await do(*args)

        await retract(stored, one.id, "another")
        with monkeypatch.context() as patch:
            patch.setattr(place, name, purged)
            outcome = await insert(stored, one)
        assert ([item.id for item in outcome.items], outcome.late) == ([one.id], {one.id})
        assert (await document(stored, one.id))["state"] == State.PENDING


async def test_a_stub_outlives_what_it_retracts(stored: Database) -> None:
    documents, id_ = notifications.collection(stored), new_id()
    await retract(stored, id_, "a")
    await retract(stored, id_, "b", at=NOW + timedelta(hours=1))
    found = await document(stored, id_)
    purge_at = found.pop("purge_at")
    assert NOW + timedelta(days=limits.RETENTION_DAYS) < purge_at <= NOW + timedelta(days=limits.RETENTION_DAYS + 1)
    assert set(found) == {"_id", "stub", "state", "retracted_by", "noted_at"}
    assert (sorted(found["retracted_by"]), found["noted_at"]) == (["a", "b"], times.truncate(NOW))
    assert (await documents.index_information())["purge"]["expireAfterSeconds"] == 0
    await fold(stored, Op.DELIVERED, "ann", id_, unstored=True)  # and then it is what it is, for as long
    assert (await document(stored, id_))["purge_at"] > NOW + timedelta(days=29)
