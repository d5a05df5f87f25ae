"""A user whose write fails for a reason of its own costs nobody else anything: in sessions and folds."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from clarion.broker import clients
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.records.dead_letters import Reason
from clarion.contracts.records.receipts import Op, Receipt, encode
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications, sessions
from clarion.store.driver.database import Database
from clarion.store.mailboxes import Lease
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import Change
from services.gateway.mailbox.connect_lookup import ConnectLookup
from services.gateway.mailbox.session_writer import SessionRefused, SessionWriter
from services.stream.engine.stage_order import Ticket
from services.stream.engine.windows import RECEIPTS_POLICY, Window
from services.stream.receipts.worker import ReceiptsWork
from tests.observing import reading
from tests.unit.records import batch

HALF_AN_EMOJI = "\ud800x"


async def test_a_session_that_cannot_be_written_closes_only_its_own(stored: Database, user: str) -> None:
    asked: list[str] = []

    async def look_up(wanted: Mapping[str, object]) -> dict[str, ConnectLookup]:
        asked.extend(wanted)
        return {name: ConnectLookup(frozenset(), {}, None) for name in wanted}

    lease = Lease(mailbox=999, owner="me", epoch=1, renewals=0)
    presence = SessionWriter(sessions.collection(stored), lease, look_up)
    before, bad, after = (presence.present(name, times.now()) for name in (user, HALF_AN_EMOJI, f"{user}-after"))
    await presence.flush()
    assert (await before).pending == (await after).pending == frozenset()
    with pytest.raises(SessionRefused, match="surrogates not allowed"):
        await bad
    assert asked == [user, f"{user}-after"]
    routed = await sessions.route(sessions.collection(stored), [user, f"{user}-after"])
    assert routed == {user: {999}, f"{user}-after": {999}}


async def test_a_change_that_can_never_be_made_costs_nobody_elses_ids(stored: Database, user: str) -> None:
    documents, now = notifications.collection(stored), times.now()
    ids = [new_id() for _ in range(9)]
    await documents.insert_many([{"_id": id_, "recipient": user, "state": "pending", "unread": True} for id_ in ids])
    together = Change(Op.DELIVERED, (*ids[:4], HALF_AN_EMOJI, *ids[4:8]), now)
    refused = await receipt_updates.fold(
        documents,
        [
            together,
            Change(Op.READ, (ids[8],), now.replace(year=9999, month=12, day=31), user),
            Change(Op.READ, (ids[0],), now + timedelta(seconds=1), user),
        ],
    )
    assert {one.change.ids[0] for one in refused} <= {HALF_AN_EMOJI, ids[8]}
    assert HALF_AN_EMOJI in {one.change.ids[0] for one in refused}
    states = {d["_id"]: d["state"] async for d in documents.find({"recipient": user})}
    assert [states[id_] for id_ in ids[:8]] == ["read", *["delivered"] * 7]


async def test_a_receipt_that_mongodb_refuses_is_a_dead_letter(settings: Settings, stored: Database, user: str) -> None:
    own: Database = stored.client.get_database(settings.database)
    documents, names = notifications.collection(own), Names(settings.prefix)
    good, bad = new_id(), new_id()
    one = {"recipient": user, "state": "pending", "unread": True}
    await documents.insert_many([{"_id": good, **one}, {"_id": bad, **one}])
    await own.command({"collMod": documents.name, "validator": {"$or": [{"_id": {"$ne": bad}}, {"state": "pending"}]}})
    producer: AIOKafkaProducer = clients.producer(settings)
    await clients.start(producer)
    try:
        window = Window(RECEIPTS_POLICY, 0)
        said = [Receipt(user, Op.DELIVERED, [id_], times.now()) for id_ in (bad, good)]
        window.add(batch([encode(receipt) for receipt in said]), 0)
        await ReceiptsWork(names, own, producer)(window, Ticket())
        async with reading(settings, names.dead_letters) as consumer:
            async with asyncio.timeout(20):
                letter: Any = await consumer.getone()
    finally:
        await producer.stop()
    assert dict(letter.headers)["reason"].decode() == Reason.UNSTORABLE
    assert bad.encode() in letter.value
    states = {d["_id"]: d["state"] async for d in documents.find({"recipient": user})}
    assert states == {good: "delivered", bad: "pending"}
