"""Schedulers that are killed, and several that share the partitions."""

import asyncio
import signal
from collections import Counter
from datetime import timedelta

import httpx2
import pytest

from clarion.client import Lane, Publisher, Submission
from clarion.contracts import times
from clarion.contracts.records import notification
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications, scheduled
from clarion.store.driver import database
from clarion.store.driver.database import Database
from deploy.local.stack import Stack
from services.stream.scheduler.release import AT_ONCE
from tests.conftest import until
from tests.integration.stream.scheduler.holding import Subscribe
from tests.observing import reading
from tests.subprocesses import child, env_of, figures_of, free_port

pytestmark = pytest.mark.slow


async def test_a_killed_scheduler_loses_and_repeats_nothing(
    stack: Stack, publisher: Publisher, subscriber: Subscribe, user: str, stored: Database, live: Settings
) -> None:
    due = times.now() + timedelta(seconds=4)
    wanted = [
        Submission(type="t", message=str(n), recipient=f"{user}-{n % 7}", deliver_at=due + timedelta(milliseconds=n))
        for n in range(3_000)
    ]
    before = stack.children["scheduler"].restarts
    async with Publisher.kafka(live.kafka, sender="svc", prefix=live.prefix) as straight:
        sending = asyncio.create_task(straight.publish_many(wanted))
        collection = scheduled.collection(stored)
        mine = {"recipient": {"$regex": f"^{user}-"}}

        async def count(state: str) -> int:
            return await collection.count_documents(mine | {"state": state})

        async def some(state: str, least: int) -> None:
            async def enough() -> bool:
                return await count(state) >= least

            await until(enough)

        await some("waiting", 200)
        stack.kill("scheduler", signal.SIGKILL)  # while it holds
        results = await sending
        assert all(result.id for result in results)
        await some("released", 200)
        stack.kill("scheduler", signal.SIGKILL)  # while it releases
        await some("released", len(wanted))
    assert stack.children["scheduler"].restarts == before + 2
    documents = notifications.collection(stored)

    async def all_stored() -> bool:
        return await documents.count_documents(mine) == len(wanted)

    await until(all_stored)
    async with subscriber(f"{user}-0") as listening, asyncio.timeout(30):
        found = [int((await anext(listening)).message) for _ in range(0, len(wanted), 7)]
    assert sorted(found) == list(range(0, len(wanted), 7))


COUNT = 1_500


async def has_started(port: int) -> bool:
    async with httpx2.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://127.0.0.1:{port}/healthz/startup")).is_success


async def test_schedulers_share_partitions_and_take_over(settings: Settings) -> None:
    """Each releases its own; what the dead one had produced and not marked is produced again, and no more than that."""
    connection, names = database.connect(settings), Names(settings.prefix)
    collection = scheduled.collection(connection)
    ports = [free_port(), free_port()]
    env = env_of(settings)
    command = ["-m", "clarion.cli", "stream", "--role", "scheduler"]
    metric = 'clarion_released_total{lane="normal"}'

    async def both_have_started() -> bool:
        try:
            return all([await has_started(port) for port in ports])
        except httpx2.TransportError:
            return False  # not listening yet

    async def both_release() -> bool:
        return all([(await figures_of(port)).get(metric) for port in ports])

    async def all_released() -> bool:
        return await collection.count_documents({"state": "released"}) == COUNT

    async with (
        child(command, env | {"CLARION_ADMIN_PORT": str(ports[0])}) as first,
        child(command, env | {"CLARION_ADMIN_PORT": str(ports[1])}),
    ):
        await until(both_have_started, within_s=60)  # or one of them has released everything before the other comes
        start = times.now() + timedelta(seconds=4)
        due = [start + timedelta(milliseconds=10 * n) for n in range(COUNT)]
        wanted = [
            Submission(type="t", message=str(n), recipient=f"u{n % 40}", deliver_at=at) for n, at in enumerate(due)
        ]
        async with Publisher.kafka(settings.kafka, sender="svc", prefix=settings.prefix) as straight:
            results = await straight.publish_many(wanted)
        await until(both_release)
        first.kill()
        await until(all_released, within_s=60)
    database.close(connection)
    ids: Counter[str] = Counter()
    async with reading(settings, names.notifications(Lane.NORMAL)) as consumer, asyncio.timeout(30):
        while len(ids) < COUNT:
            ids.update([str(notification.decode((await consumer.getone()).value).id)])
    assert set(ids) == {result.id for result in results}
    assert ids.total() - len(ids) <= AT_ONCE


async def test_what_waits_for_a_missing_partition_goes_to_another(stored: Database) -> None:
    collection, now = stored["scheduled_settle"], times.now()
    await collection.create_indexes(scheduled.INDEXES)
    made = [{"_id": str(n), "partition": n, "state": "waiting" if n % 2 else "released", "due": now} for n in range(16)]
    await collection.insert_many(made)
    assert await scheduled.settle(collection, 6) == 5
    waiting = {d["_id"]: d["partition"] async for d in collection.find({"state": "waiting"})}
    assert waiting == {str(n): n % 6 for n in range(1, 16, 2)}
    assert await scheduled.settle(collection, 6) == 0
    plan = await collection.find({"partition": {"$in": [0, 1, 2]}, "state": "waiting"}).sort("due", 1).explain()
    assert "SORT_MERGE" in str(plan["queryPlanner"]["winningPlan"])
    await collection.drop()
