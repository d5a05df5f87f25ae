"""Processes that die under load, and servers that go away: afterwards every notification is accounted for."""

import asyncio
import signal
from collections.abc import Callable

import httpx2
import pytest

from clarion.client import Lane, Publisher, Submission, Subscriber
from clarion.contracts.lanes import LANES
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver.database import Database
from deploy.local.demo.demo import Demo, killer
from deploy.local.stack import Stack
from tests.conftest import until
from tests.subprocesses import figures_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["urgent", "receipts", "gateway-1"])
async def test_kill_9_of_one_process_during_the_demo_loses_nothing(name: str, stack: Stack, live: Settings) -> None:
    before = stack.children[name].restarts
    demo = Demo(live, rounds=6, seconds=3)
    account = await demo.play(killer(stack.kill, name, lambda _: None))
    assert stack.children[name].restarts == before + 1
    assert dict(account.rows()) | {"repeats on the wire": 0} == {
        "published": len(account.published),
        "stored": len(account.published),
        "delivered live": len(account.live),
        "replayed": len(account.replayed),
        "acknowledged": len(account.published),
        "repeats on the wire": 0,
        "duplicates": 0,
        "unaccounted": 0,
    }
    assert len(account.published) > 300
    await stack.wait_ready(name)


async def test_ingest_is_503_without_a_broker_and_recovers(
    stack: Stack, live: Settings, user: str, subscriber: Callable[[str], Subscriber]
) -> None:
    headers = {"Authorization": f"Bearer {mint(live, sub='tests', scope=PUBLISH)}"}
    body = {"recipient": user, "type": "t", "message": "hello"}

    async with httpx2.AsyncClient(base_url=live.ingest_url, headers=headers, timeout=15, trust_env=False) as http:
        assert (await http.post("/v1/notifications", json=body)).status_code == 202
        await stack.stop_child("kafka")
        try:
            refused = await http.post("/v1/notifications", json=body)
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) > 0
            assert refused.headers["Content-Type"] == "application/problem+json"
            # a dependency that is down leaves a process ready: somebody must answer
            await stack.wait_ready("ingest")
        finally:
            await stack.start_kafka()

        async def accepts() -> bool:
            return (await http.post("/v1/notifications", json=body | {"message": "back"})).status_code == 202

        await until(accepts)
    async with subscriber(user) as listening, asyncio.timeout(30):
        messages: list[str] = []
        while "back" not in messages:
            messages.append((await anext(listening)).message)
    assert messages[0] == "hello"


async def test_mongodb_away_for_a_while_delays_and_loses_nothing(
    stack: Stack, publisher: Publisher, user: str, subscriber: Callable[[str], Subscriber]
) -> None:
    """Accepted while it is away, stored and delivered when it is back."""
    async with subscriber(user) as listening:
        stack.kill("mongodb", signal.SIGSTOP)
        try:
            ids = [
                await publisher.publish(recipient=user, type="t", message=str(lane), priority=lane) for lane in LANES
            ]
        finally:
            stack.kill("mongodb", signal.SIGCONT)
        async with asyncio.timeout(60):
            received = {(await anext(listening)).id for _ in ids}
    assert received == set(ids)


async def test_a_lane_that_is_told_to_stop_leaves_nothing_to_do_again(
    stack: Stack, publisher: Publisher, user: str, subscriber: Callable[[str], Subscriber]
) -> None:
    """SIGTERM: windows in hand are finished and committed, so its successor repeats nothing."""
    async with subscriber(user) as listening:
        first = await publisher.publish(recipient=user, type="t", message="1", priority="urgent")
        async with asyncio.timeout(30):
            assert (await anext(listening)).id == first
        restarts = stack.children["urgent"].restarts
        stack.kill("urgent", signal.SIGTERM)

        async def restarted() -> bool:
            return stack.children["urgent"].restarts > restarts

        await until(restarted)
        await stack.wait_ready("urgent")
        second = await publisher.publish(recipient=user, type="t", message="2", priority="urgent")
        async with asyncio.timeout(30):
            assert (await anext(listening)).id == second

    async def counted() -> bool:  # once Kafka has acknowledged what the client may have by then
        return await _count(stack, "urgent", "clarion_stored_total") == 1

    await until(counted)
    assert await _count(stack, "urgent", "clarion_repeated_total") == 0
    assert "ended with code 0" in "".join(stack.notes)


async def test_a_stopped_lane_finishes_and_its_heir_repeats_nothing(
    stack: Stack, live: Settings, user: str, stored: Database
) -> None:
    documents, wanted = notifications.collection(stored), 20_000
    submissions = [
        Submission(type="t", message="x", recipient=f"{user}-{n % 50}", priority=Lane.LOW) for n in range(wanted)
    ]
    query = {"recipient": {"$regex": f"^{user}-"}}
    stack.kill("low", signal.SIGSTOP)  # shorter than its session: it finds a backlog
    async with Publisher.kafka(live.kafka, sender="bulk", prefix=live.prefix) as kafka:
        results = await kafka.publish_many(submissions)
    stack.kill("low", signal.SIGCONT)
    assert all(result.id for result in results)

    async def some_stored() -> bool:
        return await documents.count_documents(query) > wanted // 10

    await until(some_stored)
    stack.kill("low", signal.SIGTERM)
    assert await documents.count_documents(query) < wanted

    async def all_stored() -> bool:
        return await documents.count_documents(query) == wanted

    await until(all_stored)
    await stack.wait_ready("low")
    assert await _count(stack, "low", "clarion_stored_total") > 0
    assert await _count(stack, "low", "clarion_repeated_total") == 0
    assert stack.notes[-1].startswith("low ended with code 0")


async def _count(stack: Stack, lane: str, counter: str) -> float:
    """A counter of a lane's process since it started; one that was never touched is 0."""
    figures = await figures_of(stack.ports[f"{lane}-admin"])
    return figures.get(f'{counter}{{lane="{lane}"}}', 0.0)
