"""What expires is shown to nobody, at whichever step it expires."""

import asyncio
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from clarion.client import Lane, Publisher, Subscriber
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.store import notification_indexes, notifications, sessions
from clarion.store.driver.database import Collection, Database
from clarion.store.notifications import State
from deploy.local.stack import Stack
from tests.conftest import until
from tests.observing import states

Subscribe = Callable[[str], Subscriber]


async def test_what_expires_before_it_is_stored_is_not_emitted(
    stack: Stack, publisher: Publisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    async with subscriber(user) as listening:
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        stack.kill("mongodb", signal.SIGSTOP)
        try:
            expires_at = times.now() + timedelta(seconds=2)
            gone = await publisher.publish(recipient=user, type="t", message="gone", expires_at=expires_at)
            kept = await publisher.publish(recipient=user, type="t", message="kept")
            await asyncio.sleep(2.5)
        finally:
            stack.kill("mongodb", signal.SIGCONT)
        async with asyncio.timeout(60):
            assert (await anext(listening)).id == kept

    async def is_marked() -> bool:
        return await states(stored, [gone]) == [State.EXPIRED]

    await until(is_marked)


async def test_what_has_expired_and_is_not_marked_yet_is_not_replayed(
    stack: Stack, publisher: Publisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    stack.kill("scheduler", signal.SIGSTOP)
    try:
        expires_at = times.now() + timedelta(seconds=2)
        gone = await publisher.publish(
            recipient=user, type="t", message="gone", expires_at=expires_at, priority="urgent"
        )
        kept = await publisher.publish(recipient=user, type="t", message="kept", priority="urgent")

        async def both_pending() -> bool:
            return await states(stored, [gone, kept]) == [State.PENDING] * 2

        await until(both_pending)
        await asyncio.sleep(max(0.0, (expires_at - times.now()).total_seconds() + 0.1))
        async with subscriber(user) as listening, asyncio.timeout(30):
            assert (await anext(listening)).id == kept
        assert await states(stored, [gone]) == [State.PENDING]
    finally:
        stack.kill("scheduler", signal.SIGCONT)


async def test_catching_up_leaves_out_what_has_expired(stored: Database) -> None:
    documents, now = stored["notifications_expiry"], times.now()
    await documents.create_indexes(notification_indexes.INDEXES)
    hour = timedelta(hours=1)

    def document(number: int, state: str, expires_at: datetime | None) -> dict[str, Any]:
        made: dict[str, Any] = {"_id": new_id(), "recipient": f"u{number % 7}", "lane": "low", "ord": number}
        made |= {"state": state, "unread": True, "body": b"{}", "purge_at": now + hour}
        made |= {"delivered_at": now} if state == "delivered" else {}
        return made | ({"expires_at": expires_at} if expires_at else {})

    kinds = [(state, at) for state in ("pending", "delivered") for at in (None, now - hour, now, now + hour)]
    made = [document(number, *kinds[number % 8]) for number in range(1_000)]
    await documents.insert_many(made)
    mine = [d for d in made if d["recipient"] == "u3" and d.get("expires_at", now + hour) > now]
    found = await _read(documents, now - hour, now)
    assert [item.ord for item in found] == [d["ord"] for d in mine]
    found = await _read(documents, None, now)
    assert [item.ord for item in found] == [d["ord"] for d in mine if d["state"] == "pending"]
    await documents.drop()


async def _read(documents: Collection, since: datetime | None, now: datetime) -> list[notifications.Pending]:
    return await notifications.catch_up(
        documents, "u3", Lane.LOW, after=-1, delivered_since=since, limit=1_000, now=now
    )
