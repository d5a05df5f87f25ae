"""`clarion user` on the running system."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from clarion.client import HttpPublisher, Subscriber
from clarion.contracts import times
from clarion.contracts.lanes import Lane
from clarion.store import notifications, revocations, sessions
from clarion.store.driver.database import Database
from clarion.store.queries import user_overview
from deploy.local.stack import Stack
from tests.conftest import until
from tests.integration.clarion.operating.commands import clarion

Subscribe = Callable[[str], Subscriber]


async def test_connections_and_the_last_acknowledgement_are_told(
    publisher: HttpPublisher, subscriber: Subscribe, user: str, stored: Database
) -> None:
    async with subscriber(user) as listening:
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        id_ = await publisher.publish(recipient=user, type="t", message="x", priority="low")
        await anext(listening)
        await listening.handled()

        async def is_acknowledged() -> bool:
            return (await user_overview.find(stored, user)).last_acknowledged is not None

        await until(is_acknowledged)
        found = await user_overview.find(stored, user)
        session = found.sessions[-1]  # after a lost connection there is an earlier one as well
        assert session.gateway
        assert times.now() - session.since < timedelta(minutes=1)
        assert found.last_acknowledged is not None
        assert (found.last_acknowledged.id, found.last_acknowledged.lane) == (id_, Lane.LOW)
        assert (found.pending[Lane.LOW].count, found.unread) == (0, 1)

    async def is_gone() -> bool:
        return not (await user_overview.find(stored, user)).sessions

    await until(is_gone)


@pytest.mark.slow
async def test_pending_throttled_and_refused_tokens_are_told(
    publisher: HttpPublisher, user: str, stored: Database, stack: Stack
) -> None:
    ids = [await publisher.publish(recipient=user, type="t", message="x", priority="high") for _ in range(3)]

    async def are_stored() -> bool:
        return (await user_overview.find(stored, user)).pending[Lane.HIGH].count == 3

    await until(are_stored)
    await notifications.collection(stored).update_one({"_id": ids[2]}, {"$set": {"state": "throttled"}})
    now = times.now()
    await revocations.revoke(revocations.collection(stored), user, now, now + timedelta(days=1))
    found = await user_overview.find(stored, user)
    assert (found.pending[Lane.HIGH].count, found.throttled, found.unread) == (2, 1, 3)
    assert found.pending[Lane.HIGH].since is not None
    assert (found.last_acknowledged, found.tokens_since, list(found.sessions)) == (None, now, [])
    code, said = await clarion(stack, "user", user, "--json")
    told = json.loads(said)
    assert (code, told["pending"]["high"]["count"], told["throttled"]) == (0, 2, 1)
    code, said = await clarion(stack, "user", user)
    assert (code, "pending high" in said) == (0, True)


async def test_a_user_of_whom_nothing_is_known_has_nothing(user: str, stored: Database) -> None:
    found = await user_overview.find(stored, user)
    assert (list(found.sessions), found.unread, found.last_acknowledged) == ([], 0, None)
    assert all(pending == user_overview.Pending(0, None) for pending in found.pending.values())
