"""What its sender takes back: scheduled, on its way, pending or delivered; and whoever else may not."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from itertools import combinations
from typing import Any

import msgspec
import pytest

from clarion.client import HttpPublisher, Lane, Publisher, Refused, Subscriber
from clarion.contracts import limits, times
from clarion.contracts.api.frames import Resync, ServerSync
from clarion.contracts.ids import new_id
from clarion.contracts.records import receipts
from clarion.contracts.records.receipts import Op, Receipt
from clarion.contracts.topics import Names
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications, scheduled, sessions
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import Change
from deploy.local.stack import Stack
from services.stream.lanes.retractions import withdraw
from services.stream.steps.store import Outcome
from tests.conftest import until
from tests.integration.stream.receipts.retracting import is_stored, stopped
from tests.integration.stream.scheduler.holding import SOON, is_held, produce
from tests.observing import next_receipt, reading, states

Subscribe = Callable[[str], Subscriber]


async def test_what_is_scheduled_is_not_delivered_and_says_so(
    publisher: HttpPublisher, subscriber: Subscribe, user: str, stored: Database, live: Settings
) -> None:
    due = times.now() + SOON
    async with subscriber(user) as listening, reading(live, Names(live.prefix).receipts) as told:
        id_ = await publisher.publish(recipient=user, type="t", message="oops", deliver_at=due, priority="urgent")
        await is_held(stored, id_)
        await publisher.retract(id_)
        await is_held(stored, id_, "retracted")
        await publisher.retract(id_)  # again does no harm
        last = await publisher.publish(
            recipient=user, type="t", message="x", deliver_at=due + timedelta(milliseconds=50), priority="urgent"
        )
        async with asyncio.timeout(30):
            assert (await anext(listening)).id == last
            while True:
                receipt = await next_receipt(told)
                if receipt.op is Op.RETRACTED and receipt.ids == [id_]:
                    break
        assert receipt.user == user
    status = await publisher.status(id_)
    assert status is not None
    assert (status.state, status.retracted_at is not None, status.deliver_at) == ("retracted", True, due)
    assert await states(stored, [id_]) == [None]
    document = await scheduled.collection(stored).find_one({"_id": id_})
    assert document is not None
    assert "value" not in document
    assert document["purge_at"] > times.now() + timedelta(days=limits.KEEP_DAYS - 1)


async def test_what_is_retracted_is_not_replayed_and_leaves_devices(
    publisher: HttpPublisher, user: str, stored: Database, live: Settings
) -> None:
    pending = await publisher.publish(recipient=user, type="t", message="pending", priority="urgent")
    await is_stored(stored, pending, State.PENDING)
    await publisher.retract(pending)
    await is_stored(stored, pending, State.RETRACTED)
    syncs: list[list[ServerSync]] = [[], []]

    def device(number: int) -> Subscriber:
        def hear(frame: ServerSync | Resync) -> None:
            if isinstance(frame, ServerSync) and frame.change is Op.RETRACTED:
                syncs[number].append(frame)

        return Subscriber(live.gateway_urls, token=mint(live, sub=user, scope=SUBSCRIBE), on_sync=hear)

    async with device(0) as phone, device(1) as laptop:
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        kept = await publisher.publish(recipient=user, type="t", message="kept", priority="urgent")
        gone = await publisher.publish(recipient=user, type="t", message="gone", priority="urgent")
        for one in (phone, laptop):
            async with asyncio.timeout(30):
                assert [(await anext(one)).id, (await anext(one)).id] == [kept, gone]
            await one.handled()
        await is_stored(stored, gone, State.DELIVERED)
        await phone.read([gone])
        await is_stored(stored, gone, State.READ)
        await publisher.retract(gone)

        async def both_know() -> bool:
            return all(syncs)

        await until(both_know)
    for heard in syncs:
        assert [(sync.ids, sync.unread) for sync in heard] == [([gone], 1)]
    status = await publisher.status(gone)
    assert status is not None
    assert (status.state, status.read_at is not None) == ("retracted", True)


async def test_a_retraction_its_release_overtakes_counts_in_the_lane(
    stack: Stack, publisher: HttpPublisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    """The retraction is folded when the notification is neither waiting any more nor stored yet."""
    async with subscriber(user) as listening:
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        due = times.now() + timedelta(seconds=1)
        gone, kept = [
            await publisher.publish(recipient=user, type="t", message=text, deliver_at=due, priority="low")
            for text in ("gone", "kept")
        ]
        for id_ in (gone, kept):
            await is_held(stored, id_)
        async with stopped(stack, "low"):
            for id_ in (gone, kept):
                await is_held(stored, id_, "released")
            assert (await publisher.status(gone)).state == "scheduled"  # type: ignore[union-attr]
            await publisher.retract(gone)
            await is_held(stored, gone, "retracted")
            assert await states(stored, [gone]) == [None]
        async with asyncio.timeout(30):
            assert (await anext(listening)).id == kept
    await is_stored(stored, gone, State.RETRACTED)
    assert (await publisher.status(gone)).state == "retracted"  # type: ignore[union-attr]


@pytest.mark.parametrize("places", list(combinations(range(4), 2)), ids=str)
async def test_whatever_the_interleaving_lane_or_fold_sees_the_other(places: tuple[int, int], stored: Database) -> None:
    """The lane: store, look. The fold: mark what is held, then what is stored. In every order of their steps."""
    held, documents = scheduled.collection(stored), notifications.collection(stored)
    id_, user, now = new_id(), f"user-{new_id()}", times.now()
    purge_at = now + timedelta(days=1)
    await held.insert_one({"_id": id_, "recipient": user, "state": "released", "purge_at": purge_at})
    item: Any = type("Item", (), {"id": id_})
    outcome = Outcome(items=[item])
    document = {"_id": id_, "recipient": user, "lane": "low", "ord": 1, "state": "pending", "unread": True}

    lane: list[Callable[[], Awaitable[object]]] = [
        lambda: notifications.insert(documents, [document | {"purge_at": purge_at}]),
        lambda: withdraw(stored, [id_], outcome),
    ]
    fold: list[Callable[[], Awaitable[object]]] = [
        lambda: scheduled.retract(held, [id_], user, now, now),
        lambda: receipt_updates.fold(documents, [Change(Op.RETRACTED, (id_,), now, user)]),
    ]
    for step in range(4):
        await (lane if step in places else fold).pop(0)()
    found = await documents.find_one({"_id": id_})
    assert found is not None
    assert (found["state"], found["unread"]) == ("retracted", None)
    was_seen_by_the_lane = places[1] > min(set(range(4)) - set(places))
    assert (outcome.items == []) == was_seen_by_the_lane


async def test_only_its_sender_takes_it_back(
    publisher: HttpPublisher, user: str, stored: Database, live: Settings
) -> None:
    id_ = await publisher.publish(recipient=user, type="t", message="x", priority="urgent")
    await is_stored(stored, id_, State.PENDING)
    other = Publisher.http(live.ingest_url, token=mint(live, sub="other", scope=PUBLISH))
    async with other:
        for not_theirs in (id_, "nonsense"):
            with pytest.raises(Refused, match="404"):
                await other.retract(not_theirs)
            assert await other.status(not_theirs) is None
        await other.retract(new_id())  # it may be on its way
    assert await states(stored, [id_]) == [State.PENDING]
    async with Publisher.http(live.ingest_url, token=mint(live, sub="ops", scope="publish:any")) as operator:
        await operator.retract(id_)
    await is_stored(stored, id_, State.RETRACTED)


async def test_a_retraction_is_for_its_recipient_and_undoes_no_ending(
    publisher: HttpPublisher, user: str, stored: Database, live: Settings
) -> None:
    """As an upstream may write receipts of its own."""
    mine = await publisher.publish(recipient=user, type="t", message="x", priority="urgent")
    held = await publisher.publish(
        recipient=user, type="t", message="x", deliver_at=times.now() + timedelta(hours=1), priority="urgent"
    )
    gone = await publisher.publish(
        recipient=user, type="t", message="x", expires_at=times.now() + timedelta(seconds=0.5), priority="urgent"
    )
    await is_stored(stored, mine, State.PENDING)
    await is_held(stored, held)
    await is_stored(stored, gone, State.EXPIRED)

    def retraction(recipient: str, *ids: str) -> dict[str, Any]:
        receipt = Receipt(recipient, Op.RETRACTED, list(ids), times.now())
        return {"key": recipient.encode(), "value": receipts.encode(receipt)}

    marker = await publisher.publish(recipient=f"thief-{user}", type="t", message="x", priority="urgent")
    await is_stored(stored, marker, State.PENDING)
    thief = f"thief-{user}"
    await produce(live, Names(live.prefix).receipts, retraction(thief, mine, held), retraction(thief, marker))
    await is_stored(stored, marker, State.RETRACTED)
    assert await states(stored, [mine]) == [State.PENDING]
    await is_held(stored, held)
    await produce(live, Names(live.prefix).receipts, retraction(user, mine, held, gone))
    await is_stored(stored, mine, State.RETRACTED)
    await is_held(stored, held, "retracted")
    assert await states(stored, [gone]) == [State.EXPIRED]
    documents = notifications.collection(stored)
    before = await documents.find_one({"_id": mine})
    late = [Change(op, (mine,), times.now(), None) for op in (Op.DELIVERED, Op.READ, Op.UNREAD, Op.RETRACTED)]
    await receipt_updates.fold(documents, late)
    assert await documents.find_one({"_id": mine}) == before


async def test_a_sender_hears_of_a_use_of_its_id_that_died(
    publisher: HttpPublisher, user: str, stored: Database, live: Settings
) -> None:
    """Ingest refuses it with 422 where it remembers the key; straight to Kafka, nobody looks before the lane does."""
    first = await publisher.publish(recipient=user, type="t", message="first", idempotency_key="k", priority="high")
    later = times.now() + timedelta(hours=1)
    held = await publisher.publish(recipient=user, type="t", message="x", idempotency_key="h", deliver_at=later)
    await is_stored(stored, first, State.PENDING)
    await is_held(stored, held)
    with pytest.raises(Refused, match="Idempotency-Key"):
        await publisher.publish(recipient=user, type="t", message="other", idempotency_key="k", priority="high")
    never = new_id()
    invalid = {"id": never, "type": "t", "message": "\u200b", "recipient": user, "sender": "tests"}
    async with (
        Publisher.kafka(live.kafka, sender="tests", prefix=live.prefix) as straight,
        reading(live, Names(live.prefix).receipts) as told,
    ):
        other = partial(straight.publish, recipient=user, type="t", message="other")
        assert await other(idempotency_key="k", priority="high") == first
        assert await other(idempotency_key="h", deliver_at=later) == held
        await produce(
            live,
            Names(live.prefix).notifications(Lane.LOW),
            {"key": user.encode(), "value": msgspec.json.encode(invalid)},
        )
        heard: dict[str, Receipt] = {}
        async with asyncio.timeout(30):
            while set(heard) != {first, held, never}:
                receipt = await next_receipt(told)
                if receipt.user == user and receipt.op is Op.DEAD:
                    heard[receipt.ids[0]] = receipt

    async def seen(id_: str) -> bool:
        status = await publisher.status(id_)
        return status is not None and bool(status.dead)

    for id_, state, reason in (
        (first, "pending", "id_conflict"),
        (held, "scheduled", "id_conflict"),
        (never, "dead", "invalid"),
    ):
        await until(partial(seen, id_))
        status = await publisher.status(id_)
        assert status is not None
        assert (status.state, [use.reason for use in status.dead]) == (state, [reason])
        dead = heard[id_].dead
        assert dead is not None
        assert (dead.sender, dead.reason) == ("tests", reason)
    async with Publisher.http(live.ingest_url, token=mint(live, sub="other", scope=PUBLISH)) as http:
        assert [await http.status(id_) for id_ in heard] == [None] * 3


async def test_the_lane_of_the_same_id_comes_back_retracted(
    publisher: HttpPublisher, user: str, stored: Database
) -> None:
    """Published again under its key, when it is due already: it goes to its lane at once, and is retracted there."""
    due = times.now() + timedelta(seconds=1)
    same = {"recipient": user, "type": "t", "message": "x", "deliver_at": due, "idempotency_key": "k"}
    id_ = await publisher.publish(**same, priority=Lane.HIGH)  # type: ignore[arg-type]
    await is_held(stored, id_)
    await publisher.retract(id_)
    await is_held(stored, id_, "retracted")
    await asyncio.sleep(max(0.0, (due - times.now()).total_seconds()))
    assert await publisher.publish(**same, priority=Lane.HIGH) == id_  # type: ignore[arg-type]
    await is_stored(stored, id_, State.RETRACTED)
