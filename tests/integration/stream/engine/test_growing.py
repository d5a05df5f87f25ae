"""Topics that are given more partitions while they are in use."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from aiokafka.admin import NewPartitions

from clarion.broker import clients
from clarion.broker.partitioner import partition_of
from clarion.contracts import order, times
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications, topics
from clarion.store.driver.database import Database, Document
from tests.conftest import until
from tests.subprocesses import child, env_of, figures_of, free_port, health_of

LANE = Lane.HIGH
BEFORE, AFTER = 4, 8
READ_WITHIN_S = 30.0  # as is promised of new partitions
USERS = [f"user-{number}" for number in range(16)]
MOVING = next(user for user in USERS if partition_of(user, BEFORE) != partition_of(user, AFTER))


@asynccontextmanager
async def running(settings: Settings, log: Path, *role: str) -> AsyncGenerator[psutil.Process]:
    async with child(("-m", "clarion.cli", "stream", *role), env_of(settings), log) as process:
        yield process


LANE_ROLE = ("--role", "lane", "--lane", LANE)


@pytest.fixture
def at_admin(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, admin_port=free_port())


async def grow(settings: Settings, topic: str, partitions: int = AFTER) -> float:
    """As any tool of Kafka does it. The moment it was done, of the monotonic clock."""
    admin = clients.admin(settings)
    await admin.start()

    async def is_known() -> bool:
        (described,) = await admin.describe_topics([topic])
        return len(described["partitions"]) == partitions

    try:
        answer: Any = await admin.create_partitions({topic: NewPartitions(partitions)})
        assert all(code == 0 for _, code, _ in answer.topic_errors)
        await until(is_known)
    finally:
        await admin.close()
    return time.monotonic()


async def publish(settings: Settings, messages: dict[str, str], topic: str, **more: str) -> None:
    """One record of each user, without an id, by a producer that knows the topic as it is now."""
    through = clients.producer(settings)
    async with through:
        for user, message in messages.items():
            said = {"type": "t", "message": message, "recipient": user, "sender": "s", **more}
            value = json.dumps(said).encode()
            await through.send_and_wait(topic, value, key=user.encode())


async def stored(own: Database) -> dict[str, Document]:
    found = notifications.collection(own).find({})
    return {json.loads(document["body"])["message"]: document async for document in found}


async def all_stored(own: Database, messages: list[str], within_s: float = 60.0) -> None:
    async def are() -> bool:
        return set(messages) <= set(await stored(own))

    await until(are, within_s=within_s)


async def placed_by(own: Database, topic: str) -> tuple[int, int]:
    return (await topics.placings(topics.collection(own), [topic]))[topic]


async def command(settings: Settings, *arguments: str) -> tuple[int | None, str]:
    """The exit code of `clarion topics`, and all it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clarion.cli", "topics", *arguments),
        env={**os.environ, **env_of(settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.slow
async def test_new_partitions_are_read_after_what_was_there_before(
    at_admin: Settings, own: Database, tmp_path: Path
) -> None:
    """Grown by another tool, while the lane runs: it says so at once, and takes them in by itself."""
    topic, log = Names(at_admin.prefix).notifications(LANE), tmp_path / "log"
    before, after = {u: f"{u} before" for u in USERS}, {u: f"{u} after" for u in USERS}
    async with running(at_admin, log, *LANE_ROLE):
        await publish(at_admin, before, topic)
        await all_stored(own, list(before.values()))
        grown_at = await grow(at_admin, topic)
        await publish(at_admin, after, topic)

        async def is_told() -> bool:
            health = await health_of(at_admin.admin_port)
            told = "; ".join(health["reasons"])
            count = sum(partition_of(user, AFTER) >= BEFORE for user in USERS)
            return f"{topic} has {AFTER} partitions" in told and f": {count} records wait" in told

        await until(is_told, within_s=10)
        figures = await figures_of(at_admin.admin_port)
        assert figures[f'clarion_partitions_waiting{{topic="notifications.{LANE}"}}'] == AFTER - BEFORE
        assert log.read_text().count("a topic has grown") == 1
        assert await placed_by(own, topic) == (0, BEFORE)
        code, said = await command(at_admin, "check")
        assert (code, f"{topic} has {AFTER} partitions, but its recipients are still placed by {BEFORE}" in said) == (
            1,
            True,
        )
        await all_stored(own, list(after.values()))
        assert time.monotonic() - grown_at < READ_WITHIN_S
        assert await placed_by(own, topic) == (1, AFTER)
        found = await stored(own)
        for user in USERS:
            assert found[before[user]]["ord"] < found[after[user]]["ord"], user
        assert order.unpack(found[after[MOVING]]["ord"])[0] == 1
        assert len(found) == await notifications.collection(own).count_documents({}) == 2 * len(USERS)

        async def is_ok() -> bool:
            return (await health_of(at_admin.admin_port))["status"] == "ok"

        await until(is_ok)
        code, said = await command(at_admin, "check")
        assert (code, f"{topic} was grown to {AFTER} partitions" in said) == (0, True), said
        (waiting,) = [n for name, n in (await figures_of(at_admin.admin_port)).items() if "partitions_waiting" in name]
        assert waiting == 0


@pytest.mark.slow
async def test_a_lane_uses_more_partitions_than_are_declared(at_admin: Settings, own: Database, tmp_path: Path) -> None:
    """Which nobody had read before: there is nothing to wait for. It used to refuse to start."""
    topic = Names(at_admin.prefix).notifications(LANE)
    await grow(at_admin, topic, 6)
    messages = {user: f"{user} first" for user in USERS}
    await publish(at_admin, messages, topic)
    async with running(at_admin, tmp_path / "log", *LANE_ROLE):
        await all_stored(own, list(messages.values()))
        assert await placed_by(own, topic) == (0, 6)
        figures = await figures_of(at_admin.admin_port)
        assert not figures.get(f'clarion_moved_total{{lane="{LANE}"}}')


async def test_a_lane_refuses_to_start_with_fewer_and_says_what_to_do(at_admin: Settings, tmp_path: Path) -> None:
    log, more = tmp_path / "log", msgspec.structs.replace(at_admin, partitions_lane=5)
    async with running(more, log, *LANE_ROLE) as process:

        async def is_gone() -> bool:
            return not process.is_running()

        await until(is_gone, within_s=60)
    assert f"clarion topics grow notifications.{LANE} 8" in log.read_text()
    code, said = await command(more, "check")
    assert (code, f"clarion topics grow notifications.{LANE} 8" in said) == (1, True)


@pytest.mark.slow
async def test_what_is_scheduled_is_released_from_new_partitions_too(
    at_admin: Settings, own: Database, tmp_path: Path
) -> None:
    names = Names(at_admin.prefix)
    due = times.now() + timedelta(seconds=1)
    async with running(at_admin, tmp_path / "log", "--role", "scheduler"):
        await publish(at_admin, dict.fromkeys(USERS, "before"), names.scheduled, deliver_at=times.rfc3339(due))

        async def released(count: int) -> bool:
            return await own["scheduled"].count_documents({"state": "released"}) == count

        await until(lambda: released(len(USERS)), within_s=60)
        await grow(at_admin, names.scheduled)
        grown_at = time.monotonic()
        await publish(at_admin, dict.fromkeys(USERS, "after"), names.scheduled, deliver_at=times.rfc3339(due))
        await until(lambda: released(2 * len(USERS)))
        assert time.monotonic() - grown_at < READ_WITHIN_S
        partitions = await own["scheduled"].distinct("partition")
        assert max(partitions) >= BEFORE
        assert (await placed_by(own, names.scheduled))[1] == AFTER


@pytest.mark.slow
async def test_the_command_takes_a_multiple_only_and_nothing_away(settings: Settings) -> None:
    topic = f"notifications.{LANE}"
    for partitions, says in ((6, "a multiple of that, such as 8"), (2, "Kafka cannot take any away")):
        code, said = await command(settings, "grow", topic, str(partitions))
        assert (code, says in said) == (1, True), said
    code, said = await command(settings, "grow", "nothing", "8")
    assert (code, "is not one of Clarion's topics" in said) == (2, True), said
    code, said = await command(settings, "grow", topic, str(AFTER))
    assert (code, "and had 4" in said) == (0, True), "nobody has read it yet: there is nothing to wait for"
    code, said = await command(settings, "check")
    assert (code, f"was grown to {AFTER} partitions" in said) == (0, True), said
