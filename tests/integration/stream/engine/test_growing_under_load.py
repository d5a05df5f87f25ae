"""A lane's topic is grown while it is published to through ingest and straight to Kafka, and while a worker goes."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from clarion.broker import clients
from clarion.broker.partitioner import partition_of
from clarion.client import HttpPublisher, Publisher
from clarion.contracts import order
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Items
from clarion.contracts.topics import Names
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from clarion.store import notifications, sessions, topics
from clarion.store.driver import database
from deploy.local.child import Child
from tests.conftest import until
from tests.subprocesses import child, env_of, free_port

pytestmark = pytest.mark.slow

LANE = Lane.HIGH
BEFORE, AFTER = 4, 8
READ_WITHIN_S = 30.0  # as is promised of new partitions, when no worker is killed
AFTER_A_KILL_S = 60.0  # the group misses its members first
DIRECT = [f"direct-{number}" for number in range(12)]
BY_INGEST = [f"ingest-{number}" for number in range(12)]
PAUSE_S = 0.1
BEFORE_S, SINCE_S = 3.0, 8.0  # of publishing, before the topic is grown and after it was taken in


@dataclass(slots=True)
class Account:
    """What was published to each user, one after the other, and what a client of theirs gets to see."""

    published: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict[str, list[float]](list))
    seen: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict[str, list[int]](list))
    longest_s: float = 0.0
    cursors: dict[str, int] = field(default_factory=dict[str, int])

    async def publish(self, user: str, send: Callable[[str, str], Awaitable[Any]]) -> None:
        while True:
            await send(user, str(len(self.published[user])))
            self.published[user].append(time.monotonic())
            await asyncio.sleep(PAUSE_S)

    async def watch(self, settings: Settings) -> None:
        """Read what goes to the mailbox of all, as a gateway and its clients do: repeats are known by their order."""
        consumer: Any = clients.mailbox_consumer(settings)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(Names(settings.prefix).deliveries(LANE), 1)])
            await consumer.seek_to_beginning()
            async for record in consumer:
                delivery = deliveries.decode(record.value)
                assert isinstance(delivery, Items)
                for item in delivery.items:
                    self.see(item.recipient, order.pack(*item.ord), int(json.loads(bytes(item.body))["message"]))
        finally:
            await clients.stop(consumer)

    def see(self, user: str, ord_: int, number: int) -> None:
        if ord_ <= self.cursors.get(user, -1):
            return
        self.cursors[user] = ord_
        self.seen[user].append(number)
        if number < len(self.published[user]):  # else its acknowledgement was slower than its delivery
            self.longest_s = max(self.longest_s, time.monotonic() - self.published[user][number])

    async def any_seen(self) -> bool:
        return all(self.seen[user] for user in (*DIRECT, *BY_INGEST))

    async def all_seen(self) -> bool:
        return all(len(self.seen[user]) >= len(sent) for user, sent in self.published.items())


@asynccontextmanager
async def publishing(settings: Settings, account: Account) -> AsyncGenerator[None]:
    topic = Names(settings.prefix).notifications(LANE)
    token = mint(settings, sub="tests", scope=PUBLISH)
    through: AIOKafkaProducer = clients.producer(settings)
    async with through, Publisher.http(settings.ingest_url, token=token) as http:

        async def direct(user: str, message: str) -> None:
            """Without an id: what is read again must be known by its place."""
            value = json.dumps({"type": "t", "message": message, "recipient": user, "sender": "s"}).encode()
            await through.send_and_wait(topic, value, key=user.encode())

        sending = [asyncio.create_task(account.publish(user, direct)) for user in DIRECT]
        sending += [asyncio.create_task(account.publish(user, _by(http))) for user in BY_INGEST]
        yield
        for task in sending:
            assert not task.done(), task.result()
        # between two of them: what is cancelled on its way may have been sent, and would not be accounted for
        await _end_between(sending, account)


def _by(http: HttpPublisher) -> Callable[[str, str], Awaitable[Any]]:
    async def send(user: str, message: str) -> None:
        await http.publish(recipient=user, type="t", message=message, priority=LANE)

    return send


async def _end_between(sending: list["asyncio.Task[None]"], account: Account) -> None:
    for task, user in zip(sending, [*DIRECT, *BY_INGEST], strict=True):
        count = len(account.published[user])
        while len(account.published[user]) == count:
            await asyncio.sleep(PAUSE_S / 20)
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)


@asynccontextmanager
async def worker(settings: Settings, log: Path) -> AsyncGenerator[Child]:
    """A lane's worker that is started again whenever it ends."""
    command = (sys.executable, "-m", "clarion.cli", "stream", "--role", "lane", "--lane", LANE)
    env = {**env_of(settings), "CLARION_ADMIN_PORT": "0"}
    one = Child(log.name, command, env, log, lambda _, __: None)
    running = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        await one.stop(10)
        await running


@pytest.mark.timeout(300)
@pytest.mark.parametrize("disturbance", ["nothing happens", "one stops", "all are killed"])
async def test_growing_under_load_loses_repeats_and_disorders_nothing(
    disturbance: str, settings: Settings, tmp_path: Path
) -> None:
    port = free_port()
    own = msgspec.structs.replace(settings, port=port, admin_port=0, ingest_url=f"http://127.0.0.1:{port}")
    topic, account, stored = Names(own.prefix).notifications(LANE), Account(), database.connect(own)
    here = [sessions.present(user, 1, 1, 1) for user in (*DIRECT, *BY_INGEST)]
    await sessions.write(sessions.collection(stored), here)

    async def taken_in() -> bool:
        return (await topics.placings(topics.collection(stored), [topic]))[topic] == (1, AFTER)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(child(("-m", "clarion.cli", "ingest"), env_of(own), tmp_path / "ingest"))
        workers = [await stack.enter_async_context(worker(own, tmp_path / f"log-{n}")) for n in range(2)]
        watching = asyncio.create_task(account.watch(own))
        stack.callback(watching.cancel)
        async with publishing(own, account):
            await until(account.any_seen, within_s=60)
            await asyncio.sleep(BEFORE_S)
            growing = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "clarion.cli", "topics", "grow", f"notifications.{LANE}", str(AFTER)),
                env={**os.environ, **env_of(own)},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            assert growing.stdout is not None
            assert b"and had 4" in await growing.stdout.readline()
            if disturbance == "one stops":
                await asyncio.sleep(6)
                workers[0].signal(signal.SIGTERM)
            elif disturbance == "all are killed":
                await until(taken_in, within_s=60)
                for one in workers:  # what is stored and not committed is read again, with the count and orders of now
                    one.signal(signal.SIGKILL)
            said, _ = await growing.communicate()
            assert growing.returncode == 0, said
            await asyncio.sleep(SINCE_S)
        await until(account.all_seen, within_s=60)
        assert not watching.done(), watching.result()
    for user, sent in account.published.items():
        assert account.seen[user] == list(range(len(sent))), user
    assert await notifications.collection(stored).count_documents({}) == sum(map(len, account.published.values()))
    assert await taken_in()
    generations = {order.unpack(cursor)[0] for cursor in account.cursors.values()}
    assert generations == {1}
    assert any(partition_of(user, AFTER) >= BEFORE for user in DIRECT)
    print(f"longest {account.longest_s:.1f} s, {sum(map(len, account.published.values()))} published")
    assert account.longest_s < (AFTER_A_KILL_S if disturbance == "all are killed" else READ_WITHIN_S)
    database.close(stored)
