"""Retracted before it is stored: in every lane, and of what is scheduled, whichever of the two comes first."""

import asyncio
import signal
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations_with_replacement
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.client import HttpPublisher, Inbox, Lane, Publisher, Refused, Subscriber
from clarion.contracts import times
from clarion.contracts.api.frames import Resync, ServerSync
from clarion.contracts.ids import idempotent_id, new_id
from clarion.contracts.lanes import LANES
from clarion.contracts.records.receipts import Op, Receipt, Unfound, encode
from clarion.contracts.topics import Names
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications, scheduled, sessions
from clarion.store.driver.database import Database, Document
from clarion.store.notifications import State
from clarion.store.updates import early_retractions, stubs
from clarion.store.updates.stubs import Retraction
from deploy.local.stack import Stack
from services.stream.engine.stage_order import Ticket
from services.stream.engine.windows import RECEIPTS_POLICY, Window
from services.stream.receipts.worker import ReceiptsWork
from tests.conftest import until
from tests.integration.stream.receipts.retracting import is_stored, stopped
from tests.integration.stream.scheduler.holding import SOON, is_held
from tests.observing import next_receipt, reading
from tests.unit.records import batch

Subscribe = Callable[[str], Subscriber]


async def is_noted(stored: Database, id_: str) -> None:
    async def check() -> bool:
        return bool(await stubs.retractions(notifications.collection(stored), [id_]))

    await until(check)


async def is_told(live: Settings, user: str, id_: str) -> None:
    """By a receipt of its recipient."""
    async with reading(live, Names(live.prefix).receipts) as told, asyncio.timeout(30):
        while True:
            receipt = await next_receipt(told)
            if (receipt.user, receipt.op, receipt.ids) == (user, Op.RETRACTED, [id_]):
                return


@pytest.mark.parametrize("lane", LANES)
async def test_what_is_retracted_before_it_is_stored_is_never_shown(
    lane: Lane, stack: Stack, publisher: HttpPublisher, user: str, stored: Database, live: Settings
) -> None:
    token = mint(live, sub=user, scope=SUBSCRIBE)
    async with Subscriber(live.gateway_urls, token=token) as listening:
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        async with stopped(stack, lane):
            gone = await publisher.publish(recipient=user, type="t", message="gone", priority=lane)
            await publisher.retract(gone)
            await is_noted(stored, gone)
            status = await publisher.status(gone)
            assert status is not None
            assert (status.state, status.recipient, status.retracted_at is not None) == ("retracted", None, True)
            await publisher.retract(gone)  # again does no harm
        kept = await publisher.publish(recipient=user, type="t", message="kept", priority=lane)
        async with asyncio.timeout(30):
            assert (await anext(listening)).id == kept
        await listening.handled()
    await is_stored(stored, gone, State.RETRACTED)
    status = await publisher.status(gone)
    assert status is not None
    assert (status.state, status.recipient, status.retracted_at is not None) == ("retracted", user, True)
    assert await notifications.unread(notifications.collection(stored), user) == 1
    async with Inbox(live.gateway_urls, token=token) as inbox:
        assert [item.id for item in (await inbox.page()).items] == [kept]
    await is_told(live, user, gone)


@pytest.mark.parametrize("lane", LANES)
async def test_a_retraction_that_follows_at_once_ends_the_same(
    lane: Lane, publisher: HttpPublisher, user: str, stored: Database, live: Settings
) -> None:
    """Whichever comes first: a device that has got it by then is told."""
    gone_from_devices: set[str] = set()

    def hear(frame: ServerSync | Resync) -> None:
        if isinstance(frame, ServerSync) and frame.change is Op.RETRACTED:
            gone_from_devices.update(frame.ids)

    async with Subscriber(live.gateway_urls, token=mint(live, sub=user, scope=SUBSCRIBE), on_sync=hear):
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        ids: list[str] = []
        for _ in range(5):
            ids.append(await publisher.publish(recipient=user, type="t", message="x", priority=lane))
            await publisher.retract(ids[-1])

        async def all_are_gone() -> bool:
            return gone_from_devices == set(ids)

        await until(all_are_gone)
    for id_ in ids:
        await is_stored(stored, id_, State.RETRACTED)
    assert await notifications.unread(notifications.collection(stored), user) == 0


async def test_what_is_retracted_before_it_is_held_is_never_released(
    stack: Stack, publisher: HttpPublisher, subscriber: Subscribe, user: str, stored: Database, live: Settings
) -> None:
    due = times.now() + SOON
    async with subscriber(user) as listening:
        async with stopped(stack, "scheduler"):
            gone = await publisher.publish(
                recipient=user, type="t", message="gone", deliver_at=due, priority=Lane.URGENT
            )
            far = await publisher.publish(
                recipient=user, type="t", message="gone", deliver_at=due + timedelta(days=300), priority=Lane.URGENT
            )
            for id_ in (gone, far):
                await publisher.retract(id_)
                await is_noted(stored, id_)
                assert (await publisher.status(id_)).state == "retracted"  # type: ignore[union-attr]
        for id_ in (gone, far):  # a stub is not kept until the second one is due
            await is_held(stored, id_, "retracted")
        kept = await publisher.publish(
            recipient=user, type="t", message="kept", deliver_at=due + timedelta(milliseconds=50), priority=Lane.URGENT
        )
        async with asyncio.timeout(30):
            assert (await anext(listening)).id == kept
    status = await publisher.status(gone)
    assert status is not None
    assert (status.state, status.recipient, status.deliver_at) == ("retracted", user, due)
    for id_ in (gone, far):
        await is_told(live, user, id_)


async def test_a_strangers_early_retraction_stops_nothing(
    stack: Stack, publisher: HttpPublisher, subscriber: Subscribe, user: str, stored: Database, live: Settings
) -> None:
    """Whoever knows how ids are made of keys knows this one, before it is published."""
    due = times.now() + SOON
    now, later = (idempotent_id("tests", user, key) for key in ("now", "later"))
    async with Publisher.http(live.ingest_url, token=mint(live, sub="other", scope=PUBLISH)) as other:
        for id_ in (now, later):
            await other.retract(id_)
            await is_noted(stored, id_)
            assert await publisher.status(id_) is None
            assert (await other.status(id_)).state == "retracted"  # type: ignore[union-attr]
        async with subscriber(user) as listening:
            await until(lambda: sessions.route(sessions.collection(stored), [user]))
            same = {"recipient": user, "type": "t", "message": "mine", "priority": "urgent"}
            assert await publisher.publish(**same, idempotency_key="now") == now  # type: ignore[arg-type]
            assert await publisher.publish(**same, idempotency_key="later", deliver_at=due) == later  # type: ignore[arg-type]
            async with asyncio.timeout(30):
                assert [(await anext(listening)).id, (await anext(listening)).id] == [now, later]
        for id_ in (now, later):
            with pytest.raises(Refused, match="404"):
                await other.retract(id_)
            assert await other.status(id_) is None
            assert (await publisher.status(id_)).sender == "tests"  # type: ignore[union-attr]


async def test_an_operator_retracts_whoevers_it_turns_out_to_be(
    stack: Stack, publisher: HttpPublisher, user: str, stored: Database, live: Settings
) -> None:
    async with Publisher.http(live.ingest_url, token=mint(live, sub="ops", scope="publish:any")) as operator:
        async with stopped(stack, "high"):
            id_ = await publisher.publish(recipient=user, type="t", message="x", priority=Lane.HIGH)
            await operator.retract(id_)
            await is_noted(stored, id_)
            assert (await operator.status(id_)).state == "retracted"  # type: ignore[union-attr]
        await is_stored(stored, id_, State.RETRACTED)


async def test_what_went_live_before_it_was_stored_leaves_its_devices(
    stack: Stack, publisher: HttpPublisher, user: str, stored: Database, live: Settings
) -> None:
    """Pushed while MongoDB was away, retracted when it is back, and only then stored."""
    gone_from_device = asyncio.Event()

    def hear(frame: ServerSync | Resync) -> None:
        if isinstance(frame, ServerSync) and frame.change is Op.RETRACTED:
            gone_from_device.set()

    async with Subscriber(
        live.gateway_urls, token=mint(live, sub=user, scope=SUBSCRIBE), on_sync=hear
    ) as device, asyncio.timeout(60):  # fmt: skip
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        await stack.stop_child("mongodb")
        try:
            id_ = await publisher.publish(recipient=user, type="t", message="x", priority=Lane.URGENT)
            shown = await anext(device)
            assert (shown.id, shown.unstored) == (id_, True)
            stack.kill("urgent", signal.SIGSTOP)
        finally:
            await stack.start_mongodb()
        try:
            await device.handled()
            await publisher.retract(id_)
            await is_noted(stored, id_)
        finally:
            stack.kill("urgent", signal.SIGCONT)
        await gone_from_device.wait()
    await is_stored(stored, id_, State.RETRACTED)
    assert await notifications.unread(notifications.collection(stored), user) == 0


@pytest.mark.parametrize("places", list(combinations_with_replacement(range(3), 2)), ids=str)
async def test_in_any_order_scheduler_or_receipts_see_the_other(
    places: tuple[int, int], stored: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler holds, then looks for stubs: before, between and after the two steps of the receipts role."""
    held, documents, note = scheduled.collection(stored), notifications.collection(stored), early_retractions.note
    id_, now, passed = new_id(), times.now(), 0

    async def hold() -> None:
        plan: Document = {"_id": id_, "recipient": "ann", "sender": "calls", "state": "waiting", "value": b""}
        await held.insert_one(plan)

    async def look() -> None:
        await scheduled.take_back(held, await stubs.retractions(documents, [id_]), now)

    async def go_on() -> None:
        nonlocal passed
        for place, step in zip(places, (hold, look), strict=True):
            if place == passed:
                await step()
        passed += 1

    async def noted(*args: Any) -> None:
        await go_on()
        await note(*args)
        await go_on()

    monkeypatch.setattr(early_retractions, "note", noted)
    await early_retractions.retract(stored, [Retraction(id_, {"calls"}, now)], now)
    await go_on()
    found = await held.find_one({"_id": id_})
    assert found is not None
    assert (found["state"], "value" in found) == ("retracted", False)


async def test_what_is_stored_by_then_is_retracted_by_its_recipient(settings: Settings, stored: Database) -> None:
    """And nothing of what is another's."""
    own: Database = stored.client.get_database(settings.database)
    documents, held, names = notifications.collection(own), scheduled.collection(own), Names(settings.prefix)
    kept, waiting, theirs, ended = (new_id() for _ in range(4))
    one = {"recipient": "ann", "sender": "calls", "state": "delivered", "unread": True}
    await documents.insert_many([{"_id": kept, **one}, {"_id": theirs, **one, "sender": "leads"}])
    await documents.insert_one({"_id": ended, **one, "state": "expired", "unread": None})
    await held.insert_one({"_id": waiting, "recipient": "bob", "sender": "calls", "state": "waiting"})
    producer: AIOKafkaProducer = clients.producer(settings)
    await clients.start(producer)
    try:
        window = Window(RECEIPTS_POLICY, 0)
        said = [
            Receipt(id_, Op.RETRACTED, [id_], times.now(), unfound=Unfound("calls"))
            for id_ in (kept, waiting, theirs, ended)
        ]
        window.add(batch([encode(receipt) for receipt in said]), 0)
        for _ in range(2):  # everything may come again
            await ReceiptsWork(names, own, producer)(window, Ticket())
        async with reading(settings, names.receipts) as told, asyncio.timeout(20):
            heard = [await next_receipt(told) for _ in range(4)]
    finally:
        await producer.stop()
    assert {(r.user, r.op, *r.ids, r.folded) for r in heard} == {
        ("ann", Op.RETRACTED, kept, True),
        ("bob", Op.RETRACTED, waiting, True),
    }
    states = {d["_id"]: (d["state"], d["unread"]) async for d in documents.find({"recipient": "ann"})}
    assert states == {kept: ("retracted", None), theirs: ("delivered", True), ended: ("expired", None)}
