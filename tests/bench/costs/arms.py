"""The ways in which the cost bench publishes, and the clients that receive and acknowledge."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle, islice
from typing import Final, Literal, Self

import httpx2
import msgspec

from clarion.broker import clients
from clarion.broker.keyed_producer import send_keyed
from clarion.client import Publisher, Subscriber
from clarion.contracts.lanes import Lane
from clarion.contracts.records.notification import Submission, encode
from clarion.contracts.topics import Names
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from tests.bench.costs import varied

NO_LIMITS: Final = {"CLARION_RECIPIENT_RATE": "0", "CLARION_SENDER_RATE": "0", "CLARION_CONNECTIONS_PER_IP": "0"}
_TICK_S: Final = 0.05
_CONNECTED_WITHIN_S: Final = 60.0
_RECEIVED_WITHIN_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Arm:
    """How notifications come in: over HTTP, alone or in batches, or straight to Kafka; and into which lane."""

    name: str
    via: Literal["singles", "batches", "kafka"]
    lane: Lane
    rate_most: int  # notifications a second


ARMS: Final = (
    Arm("HTTP, one a request", "singles", Lane.NORMAL, 200),
    Arm("HTTP, batches", "batches", Lane.NORMAL, 100_000),
    *(Arm(f"straight to Kafka, {lane}", "kafka", lane, 100_000) for lane in Lane),
)

Send = Callable[[Sequence[str]], Awaitable[object]]


async def publish(
    settings: Settings, arm: Arm, users: Sequence[str], rate: int, seconds: float, tick_s: float = _TICK_S
) -> int:
    """Publish about `rate` a second for so long, to one user after the other; return how many there were.

    What is due at each tick is sent together.
    """
    recipients, began, sent = cycle(users), time.monotonic(), 0
    async with _sending(settings, arm) as send:
        while (passed := time.monotonic() - began) < seconds:
            if due := int(rate * passed) - sent:
                await send(list(islice(recipients, due)))
                sent += due
            await asyncio.sleep(tick_s)
    return sent


@asynccontextmanager
async def _sending(settings: Settings, arm: Arm) -> AsyncGenerator[Send]:
    token = mint(settings, sub="bench", scope=PUBLISH)
    match arm.via:
        case "kafka":
            topic, producer = Names(settings.prefix).notifications(arm.lane), clients.producer(settings)
            await producer.start()
            try:
                yield lambda to: send_keyed(
                    producer, topic, [(user, encode(varied.notification(user, arm.lane))) for user in to]
                )
            finally:
                await producer.stop()
        case "batches":
            async with Publisher.http(settings.ingest_url, token=token) as publisher:
                yield lambda to: publisher.publish_many([varied.submission(user, arm.lane) for user in to])
        case "singles":  # not by the SDK, which makes batches of what comes at once
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            async with httpx2.AsyncClient(base_url=settings.ingest_url, headers=headers, trust_env=False) as client:
                yield lambda to: asyncio.gather(*(_post(client, varied.submission(user, arm.lane)) for user in to))


async def _post(client: httpx2.AsyncClient, submission: Submission) -> None:
    answer = await client.post("/v1/notifications", content=msgspec.json.encode(submission), timeout=30)
    answer.raise_for_status()


@dataclass(slots=True)
class Receivers:
    """Clients that are connected, and acknowledge what they receive."""

    subscribers: Sequence[Subscriber]
    received: int = 0
    late_s: list[float] = field(default_factory=list[float])  # of each, from when ingest took it
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list["asyncio.Task[None]"])

    async def __aenter__(self) -> Self:
        """Connect all."""
        self._tasks = [asyncio.create_task(self._receive(one)) for one in self.subscribers]
        await _until(lambda: all(one.state == "live" for one in self.subscribers), _CONNECTED_WITHIN_S)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def have(self, count: int) -> None:
        """Wait until so many more than before have come, and count anew."""
        await _until(lambda: self.received >= count, _RECEIVED_WITHIN_S)
        self.received = 0

    async def _receive(self, subscriber: Subscriber) -> None:
        async with subscriber as notifications:
            async for item in notifications:
                self.received += 1
                self.late_s.append(time.time() - datetime.fromisoformat(item.created_at).timestamp())


async def _until(is_so: Callable[[], bool], within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while not is_so():
            await asyncio.sleep(_TICK_S)
