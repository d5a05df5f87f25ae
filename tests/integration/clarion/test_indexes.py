"""Every query of stored notifications is served by its index: the server's own profile of what was asked says so."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import pymongo
import pytest
from pymongo import IndexModel

from clarion.contracts import limits
from clarion.contracts.lanes import Lane
from clarion.contracts.records.receipts import Op
from clarion.settings import Settings
from clarion.store import indexes, notification_indexes, notifications, sessions
from clarion.store.driver import database
from clarion.store.driver.database import Database, Document
from clarion.store.queries import connected_users, inbox, pending_summary
from clarion.store.queries.connected_users import ConnectedUser
from clarion.store.updates import deferred, endings, receipt_updates
from clarion.store.updates.receipt_updates import Change
from tests.integration.clarion.profiled import NOW, asked, by, document, plans, stages

OTHERS: Final = 2_000
OLD: Final = 1_000_000


@pytest.fixture
async def own(settings: Settings) -> AsyncIterator[Database]:
    """Many documents of many users, a few of them `ann`'s."""
    connection = database.connect(settings)
    await indexes.ensure(connection)
    many = [document(f"user-{n % 100}", n, NOW - timedelta(minutes=n)) for n in range(OTHERS)]
    anns = [document("ann", n, NOW - timedelta(minutes=n), collapse_key=f"k{n}") for n in range(8)]
    seen = [document("ann", 10 + n, NOW, state="delivered", unread=False, delivered_at=NOW) for n in range(4)]
    late = [
        document("ann", 20, NOW, expires_at=NOW),
        document("ann", 21, NOW, state="expired", unread=None, unannounced=True),
        document("ann", 22, NOW, state="throttled", unread=None, deferred=True),
    ]
    await notifications.collection(connection).insert_many([*many, *anns, *seen, *late])
    await connection.command("profile", 2)
    yield connection
    await connection.command("profile", 0)
    await connection.client.drop_database(connection.name)
    database.close(connection)


async def test_each_query_reads_little_more_than_it_returns(own: Database) -> None:
    stored = notifications.collection(own)
    ids = [d["_id"] async for d in stored.find({"recipient": "ann"}, ["_id"])]
    await asked(own)

    async def uses(*names: str, most: int) -> None:
        found = await asked(own)
        assert found
        assert plans(found) == {by(name) for name in names}
        assert all(operation.get("docsExamined", 0) <= most for operation in found)
        assert not any(operation.get("hasSortStage") for operation in found)

    await notifications.catch_up(stored, "ann", Lane.LOW, after=-1, delivered_since=None, limit=5, now=NOW)
    await uses("waiting_since", most=5)
    await notifications.pending_up_to(stored, "ann", {Lane.LOW: 3, Lane.HIGH: 9}, 100)
    await uses("waiting_since", most=4)
    assert await notifications.unread(stored, "ann") == 9
    await uses("inbox", most=0)
    await endings.unannounced(stored, 100)
    await uses("unannounced", most=1)
    assert len(await deferred.waiting(stored, NOW, 100)) == 1
    await uses("deferred", most=1)
    await notifications.collapse(stored, Lane.LOW, [("ann", "k1"), ("ann", "k2")], NOW)
    await uses("replaceable", most=2)

    await notifications.find(stored, ids)
    for op in receipt_updates.FOLDABLE:
        await receipt_updates.fold(stored, [Change(Op(op), tuple(ids), NOW, "ann")])
    await endings.announced(stored, ids)
    found = await asked(own)
    # by ids or, where these are all of a user's, by the user: the server finds out what is less work
    assert "COLLSCAN" not in plans(found)
    assert all(operation["docsExamined"] <= len(ids) for operation in found)


async def test_catching_up_and_expiring_read_only_what_is_due(own: Database) -> None:
    stored = notifications.collection(own)
    hour = timedelta(hours=1)
    since = NOW - hour
    read = await notifications.catch_up(stored, "ann", Lane.LOW, after=9, delivered_since=since, limit=5, now=NOW)
    assert [item.ord for item in read][:4] == [10, 11, 12, 13]
    assert plans(await asked(own)) == {by("waiting_since"), by("delivered_since")}
    assert await endings.expire(stored, now=NOW, purged_before=NOW - hour, limit=100) == 1
    found = await asked(own)
    assert {by("lapsing"), by("unread_purge")} <= plans(found)
    assert all(operation.get("docsExamined", 0) <= 1 for operation in found)


async def test_counts_of_many_users_are_those_of_each(own: Database) -> None:
    """One question counts for all of them, in the index alone, and no further for a user than for one who is alone."""
    stored = notifications.collection(own)
    await stored.insert_many([document("busy", n, NOW) for n in range(limits.UNREAD_CAP + 50)])
    users = ["ann", "busy", "nobody", *(f"user-{n}" for n in range(100))]
    each = {user: await notifications.unread(stored, user) for user in users}
    assert (each["ann"], each["busy"], each["nobody"]) == (9, limits.UNREAD_CAP, 0)
    online = [sessions.present(user, mailbox, 1, 1) for user in users for mailbox in (3, 7)]
    await database.write(sessions.collection(own), [*online, sessions.present("another", 3, 1, 1)])
    await own.command("profile", 0)
    await own["system.profile"].drop()
    await own.command("profile", 2)
    found = await connected_users.find(own, [*users, "away"])
    assert found == {user: ConnectedUser(frozenset({3, 7}), unread) for user, unread in each.items()}
    (operation,) = await own["system.profile"].find({"ns": f"{own.name}.sessions", "op": "command"}).to_list(None)
    assert operation["docsExamined"] == 0
    assert operation["keysExamined"] < sum(each.values()) + len(online) + 2 * len(users)


@pytest.mark.slow
async def test_what_waits_to_be_purged_costs_an_expiry_nothing(own: Database) -> None:
    """From day 30 on there is an hour of it at any time: each look, every second, read all of that."""
    stored, soon = notifications.collection(own), NOW + timedelta(minutes=30)
    await own.command("profile", 0)
    await indexes_but(stored, "purge", "unread_purge")
    await fill(own, {"unread": False, "purge_at": soon})
    await stored.insert_many(document("ann", 3_000 + n, NOW, purge_at=soon) for n in range(3))
    await own.command("profile", 2)
    assert await endings.expire(stored, now=NOW, purged_before=NOW + timedelta(hours=1), limit=500) >= 3
    found = await asked(own)
    assert by("unread_purge") in plans(found)
    assert all(operation.get("docsExamined", 0) <= 10 for operation in found)
    assert all(operation.get("keysExamined", 0) <= 10 for operation in found)


async def fill(own: Database, fields: Document) -> None:
    """Replace all documents by OLD others that have these fields. The server makes them itself: that takes seconds."""
    thousand = {"$range": [0, 1_000]}
    pipeline: list[Document] = [
        {"$documents": [{"high": thousand, "low": thousand}]},
        {"$unwind": "$high"},
        {"$unwind": "$low"},
        {"$limit": OLD},
        {
            "$project": {
                "_id": {"$add": [{"$multiply": ["$high", 1_000]}, "$low"]},
                **{f: {"$literal": v} for f, v in fields.items()},
            }
        },
        {"$out": "notifications"},
    ]
    with pymongo.timeout(100):
        await own.aggregate(pipeline).to_list(None)


async def indexes_but(stored: database.Collection, *kept: str) -> None:
    """Others only make a million documents slow to insert."""
    for name in await stored.index_information():
        if name not in (*kept, "_id_", "lapsing"):
            await stored.drop_index(name)


async def test_what_a_crowd_has_waiting_is_answered_from_indexes_alone(own: Database) -> None:
    stored = notifications.collection(own)
    users, hour_ago = ["ann", "nobody", *(f"user-{n}" for n in range(50))], NOW - timedelta(hours=1)
    found = await pending_summary.waiting(stored, users, hour_ago)
    assert found.pending == {user: {Lane.LOW} for user in ("ann", *(f"user-{n}" for n in range(50)))}
    assert found.delivered == {"ann": {Lane.LOW: 13}}
    done = await asked(own)
    assert plans(done) == {"DISTINCT_SCAN" + by("waiting_since").removeprefix("IXSCAN"), by("delivered_since")}
    assert all(operation["docsExamined"] == 0 for operation in done)
    # a key for each who has something, one more to leave them; and one for each that was delivered
    assert all(operation["keysExamined"] <= 2 * len(users) for operation in done)

    query, pipeline = pending_summary.pending_query(users), pending_summary.delivered_pipeline(users, hour_ago)
    pending = await own.command("explain", {"distinct": stored.name, "key": "recipient", "query": query})
    assert stages(pending["queryPlanner"]["winningPlan"]) == ["PROJECTION_COVERED", "DISTINCT_SCAN"]
    delivered = await own.command("explain", {"aggregate": stored.name, "pipeline": pipeline, "cursor": {}})
    plan = delivered.get("queryPlanner") or delivered["stages"][0]["$cursor"]["queryPlanner"]
    covered = stages(plan["winningPlan"].get("queryPlan", plan["winningPlan"]))
    assert covered[-2:] == ["PROJECTION_COVERED", "IXSCAN"]


async def test_an_inbox_page_is_read_in_order_without_sorting(own: Database) -> None:
    first = await page(own, limit=5, now=NOW - timedelta(seconds=1))
    assert await read_by("inbox", own) == 6  # one more, to know whether there is more
    after = first.items[-1].page_cursor
    second = await page(own, limit=5, after=after)
    assert await read_by("inbox", own) <= 7  # and the one that expired just now
    cursors = [item.page_cursor for item in (*first.items, *second.items)]
    assert cursors == sorted(cursors, reverse=True)
    unread = await page(own, limit=5, after=after, unread_only=True)
    assert [item.unread for item in unread.items] == [True] * 5
    assert await read_by("inbox", own) <= 7
    assert len(await inbox.unread_ids(notifications.collection(own), "ann", 500)) == 9
    assert await read_by("inbox", own) == 0


async def test_what_left_the_inbox_costs_a_page_nothing(own: Database) -> None:
    gone = [document("ann", 1_000 + n, NOW, state="collapsed", unread=None) for n in range(300)]
    archived = [document("ann", 2_000 + n, NOW, state="read", unread=None, archived=True) for n in range(300)]
    await notifications.collection(own).insert_many([*gone, *archived])
    await asked(own)
    found = await page(own, limit=100)
    assert (len(found.items), found.has_more) == (12, False)
    assert await read_by("inbox", own) == 13  # and the one that has expired just now
    found = await page(own, limit=100, archived=True)
    assert (len(found.items), found.has_more) == (100, True)
    assert await read_by("archived", own) == 101
    await page(own, limit=100, archived=True, after=found.items[-1].page_cursor)
    assert await read_by("archived", own) <= 101


async def test_an_earlier_versions_database_gets_its_indexes(settings: Settings) -> None:
    """Its documents have no `available_at`, and its indexes are in the order in which notifications were created."""
    connection = database.connect(settings)
    stored = notifications.collection(connection)
    earlier = [
        IndexModel([("recipient", 1), ("unread", 1), ("created_at", -1), ("_id", -1)], name="inbox_unread"),
        IndexModel(
            [("recipient", 1), ("created_at", -1), ("_id", -1)],
            name="archive",
            partialFilterExpression={"archived": True},
        ),
        IndexModel(
            [("recipient", 1), ("lane", 1), ("collapse_key", 1)],
            name="collapse",
            partialFilterExpression={"state": "pending", "collapse_key": {"$exists": True}},
        ),
    ]
    await stored.create_indexes(earlier)
    made = [document("ann", n, NOW - timedelta(minutes=n)) for n in range(60)]
    made += [document("ann", n, NOW - timedelta(minutes=n), archived=True, unread=None) for n in range(100, 120)]
    wanted = [one["_id"] for one in made]
    for one in made[::2]:
        del one["available_at"]
    await stored.insert_many(made)
    for _ in range(2):
        await indexes.ensure(connection)
    assert set(await stored.index_information()) == {
        "_id_",
        *(i.document["name"] for i in notification_indexes.INDEXES),
    }
    first = await page(connection, limit=50)
    rest = await page(connection, limit=50, after=first.items[-1].page_cursor)
    assert [item.page_cursor.id for item in (*first.items, *rest.items)] == wanted[:60]
    archived = await page(connection, limit=50, archived=True)
    assert [item.page_cursor.id for item in archived.items] == wanted[60:]
    await connection.client.drop_database(connection.name)
    database.close(connection)


async def page(own: Database, **asked: Any) -> inbox.Page:
    everything: dict[str, Any] = {"unread_only": False, "archived": False, "after": None, "now": NOW}
    everything |= {"most_bytes": limits.INBOX_PAGE_BYTES, **asked}
    return await inbox.page(notifications.collection(own), "ann", **everything)


async def read_by(name: str, own: Database) -> int:
    """How many documents the queries read that were asked since the last time, all of them by the index."""
    found = await asked(own)
    assert plans(found) == {by(name)}
    assert not any(operation.get("hasSortStage") for operation in found)
    return sum(operation.get("docsExamined", 0) for operation in found)
