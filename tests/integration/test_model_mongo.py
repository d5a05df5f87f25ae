"""The model's MongoDB answers as a real one does, to the same calls of the store's own functions in any order."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from clarion.contracts.lanes import Lane
from clarion.contracts.records.receipts import Op
from clarion.settings import Settings
from clarion.store import mailboxes, notifications, sessions
from clarion.store.driver import database
from clarion.store.mailboxes import Lease
from clarion.store.queries import pending_summary
from clarion.store.updates import early_retractions, receipt_updates, stubs
from clarion.store.updates.receipt_updates import Change
from clarion.store.updates.stubs import Retraction
from tests.model.world.mongo import Collection

STEPS = 250
USERS = ["ann", "bob"]
LANES = [Lane.URGENT, Lane.NORMAL]
OPENING = datetime(2026, 1, 1, tzinfo=UTC)


Call = Callable[[database.Collection], Awaitable[object]]


class Calls:
    """Draws calls; each takes the collection to call them on, so that both get the same."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.ids = [f"id-{number}" for number in range(8)]

    def moment(self) -> datetime:
        return OPENING + timedelta(hours=self.chance.randrange(4))

    def of_sessions(self) -> list[Call]:
        user, mailbox, epoch = self.chance.choice(USERS), self.chance.randrange(2), self.chance.randrange(1, 4)
        write = self.chance.choice([sessions.present, sessions.absent])(user, mailbox, epoch, self.chance.randrange(9))
        return [
            lambda on: sessions.write(on, [write]),
            lambda on: sessions.write(on, [write]),
            lambda on: sessions.route(on, USERS),
            lambda on: sessions.sweep(on, mailbox, epoch),
            lambda on: sessions.sweep_all(on, {mailbox: epoch, 1 - mailbox: 1}),
        ]

    def of_mailboxes(self) -> list[Call]:
        owner = self.chance.choice(["", "me", "you"])
        lease = Lease(self.chance.randrange(2), owner, self.chance.randrange(1, 4), self.chance.randrange(4))
        return [
            lambda on: mailboxes.create(on, lease.mailbox, "me"),
            lambda on: mailboxes.take(on, lease, "you"),
            lambda on: mailboxes.renew(on, lease),
            lambda on: mailboxes.release(on, lease),
            lambda on: mailboxes.find_all(on),
        ]

    def of_notifications(self) -> list[Call]:
        id_, user, at = self.chance.choice(self.ids), self.chance.choice(USERS), self.moment()
        lane, ord_ = self.chance.choice(LANES), self.chance.randrange(-1, 8)
        op, unstored = self.chance.choice([Op.DELIVERED, Op.DELIVERED, Op.RETRACTED]), self.chance.random() < 0.3
        change = Change(op, (id_,), at, user, unstored=unstored and op is Op.DELIVERED)
        by = {self.chance.choice(["calls", "leads", stubs.ANYBODY])}
        since = self.chance.choice([None, at])
        return [
            lambda on: receipt_updates.fold(on, [change]),
            lambda on: stubs.complete(on, [self.whole(id_)], at),
            lambda on: early_retractions.note(on, [Retraction(id_, by, at)], at),
            lambda on: stubs.retractions(on, self.ids),
            lambda on: notifications.find(on, self.ids),
            lambda on: notifications.pending_up_to(on, user, {lane: ord_}, 100),
            lambda on: pending_summary.waiting(on, USERS, at),
            lambda on: notifications.catch_up(on, user, lane, after=ord_, delivered_since=since, limit=3, now=OPENING),
        ]

    def whole(self, id_: str) -> dict[str, Any]:
        number = int(id_[-1])
        return {
            "_id": id_,
            "recipient": USERS[number % 2],
            "sender": "calls",
            "lane": str(LANES[number // 2 % 2]),
            "ord": number,
            "state": "pending",
            "unread": True,
            "body": b"{}",
            "purge_at": OPENING,
        }


@pytest.mark.parametrize("seed", range(3))
async def test_every_call_has_the_same_answer_and_leaves_the_same(settings: Settings, seed: int) -> None:
    calls, connection = Calls(seed), database.connect(settings)
    for name, draw in (
        ("sessions", calls.of_sessions),
        ("mailboxes", calls.of_mailboxes),
        ("notifications", calls.of_notifications),
    ):
        real, model = connection[name], Collection(())
        for number in range(STEPS):
            if name == "notifications" and number % 10 == 0 and number // 10 < len(calls.ids):
                whole = calls.whole(calls.ids[number // 10])
                is_new = model.insert(dict(whole))
                assert is_new == (not await database.insert(real, [whole]))
            call = calls.chance.choice(draw())
            assert answer(await call(model.driver)) == answer(await call(real))
        left = {str(document["_id"]): told(document) async for document in real.find({})}
        assert left == {str(document["_id"]): told(document) for document in model.documents.values()}
    database.close(connection)


def answer(found: object) -> object:
    """Some come in no order, and those that do show it by which of them there are."""
    return sorted(cast("list[object]", found), key=repr) if isinstance(found, list) else found


def told(document: dict[str, Any]) -> dict[str, Any]:
    """All but the time of day."""
    return {key: value for key, value in document.items() if key != "at"}
