"""What is pending is counted a part of the index at a time, whatever there is, and no document is read."""

from datetime import timedelta

from clarion.contracts.lanes import Lane
from clarion.store import indexes, notifications
from clarion.store.driver.database import Database
from clarion.store.queries import pending_walk
from services.stream.observer.pending import PendingWalk
from tests.integration.clarion.profiled import NOW, asked, by, document, plans, stages

LOW = 2_000
STEP = 300


async def test_what_is_pending_is_counted_from_an_index_alone(own: Database) -> None:
    await indexes.ensure(own)
    stored = notifications.collection(own)
    low = [document(f"user-{n % 100}", n, NOW - timedelta(minutes=n)) for n in range(LOW)]
    high = [document("bob", n, NOW - timedelta(days=1), lane="high") for n in range(7)]
    done = [document("bob", n, NOW - timedelta(days=9), state="delivered", delivered_at=NOW) for n in range(50)]
    await stored.insert_many([*low, *high, *done])
    await own.command("profile", 2)
    walk, found, steps = PendingWalk(), None, 0
    while found is None:
        found = walk.add(await pending_walk.step(stored, walk.after, STEP))
        steps += 1
    assert {lane: pending.count for lane, pending in found.items()} == {Lane.LOW: LOW, Lane.HIGH: 7}
    oldest = {Lane.LOW: NOW - timedelta(minutes=LOW - 1), Lane.HIGH: NOW - timedelta(days=1)}
    assert {lane: pending.oldest for lane, pending in found.items()} == oldest
    found_by = await asked(own)
    await own.command("profile", 0)
    assert 5 <= steps <= 8
    assert plans(found_by) == {by("waiting_since")}
    assert all(operation["docsExamined"] == 0 for operation in found_by)
    assert all(operation["keysExamined"] <= 2 * STEP for operation in found_by), "a step costs what it may"

    pipeline = pending_walk.count_pipeline("a", "z", STEP)
    told = await own.command(
        "explain", {"aggregate": stored.name, "pipeline": pipeline, "cursor": {}, "hint": "waiting_since"}
    )
    plan = told.get("queryPlanner") or told["stages"][0]["$cursor"]["queryPlanner"]
    covered = stages(plan["winningPlan"].get("queryPlan", plan["winningPlan"]))
    assert covered[-2:] == ["PROJECTION_COVERED", "IXSCAN"]


async def test_documents_without_a_lane_hide_no_others(own: Database) -> None:
    await indexes.ensure(own)
    stored = notifications.collection(own)
    strange = {"recipient": "ann", "state": "pending", "unread": True}
    good = document("ann", 1, NOW)
    await stored.insert_many(
        [
            {"_id": "none", **strange},
            {"_id": "odd", "lane": "odd", "stored_at": NOW, **strange},
            {"_id": "nested", "lane": {}, "stored_at": NOW, **strange},
            good,
        ]
    )
    assert (await pending_walk.step(stored, "", STEP)).found == {Lane.LOW: pending_walk.Pending(1, NOW)}
