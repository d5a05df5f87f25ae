"""Steady traffic to users who are connected, and an account of each notification that was accepted."""

import asyncio
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from clarion.client import HttpPublisher, Lane, Publisher, State, Subscriber, Unavailable
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import LANES
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from tests.conftest import until

TOKEN_S: Final = 3_600
OPEN_WITHIN_S: Final = 30.0
SLOW_S: Final = 2.0  # from asking to publish until it is there: what takes longer was held up by a fault


@dataclass(slots=True)
class Sent:
    """One notification: when it was to be published, its id once it was accepted, and when it arrived."""

    lane: Lane
    asked_at: float
    id: str = ""
    accepted_at: float = 0.0
    arrived_at: float = 0.0


@dataclass(slots=True)
class User:
    """What was sent to one user, in order, and what arrived, in order."""

    name: str
    sent: list[Sent] = field(default_factory=list[Sent])
    arrived: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])


class Traffic:
    """Each user gets one notification after the other, the lanes in turn, so that their order is known."""

    def __init__(self, settings: Settings, users: int, rate: float) -> None:
        self._settings = settings
        self._pause_s = users / rate
        self._stopping = asyncio.Event()
        self.users = [User(f"user-{new_id()}") for _ in range(users)]

    async def listen(self, user: User, subscriber: Subscriber) -> None:
        async for item in subscriber:
            user.arrived.append((item.id, time.monotonic()))

    async def publish(self, publisher: HttpPublisher, user: User, starts_in_s: float) -> None:
        """Publish at the user's pace; what is late is made up for by nothing."""
        await asyncio.sleep(starts_in_s)
        lanes = itertools.cycle(LANES)
        while not self._stopping.is_set():
            sent = Sent(next(lanes), time.monotonic())
            sent.id = await self._accepted(publisher, user, sent.lane)
            sent.accepted_at = time.monotonic()
            user.sent.append(sent)
            await asyncio.sleep(max(0.0, sent.asked_at + self._pause_s - time.monotonic()))

    async def _accepted(self, publisher: HttpPublisher, user: User, lane: Lane) -> str:
        key = new_id()
        while True:
            try:
                return await publisher.publish(
                    recipient=user.name, type="t", message="m", priority=lane, idempotency_key=key
                )
            except Unavailable:
                continue  # it may have been accepted: the same key makes it the same one

    def stop(self) -> None:
        self._stopping.set()

    # ---- account

    def everything_arrived(self) -> bool:
        return all({one.id for one in user.sent} <= {id_ for id_, _ in user.arrived} for user in self.users)

    def settled(self) -> list[Sent]:
        """Everything that was sent, with when it arrived. Fails for what is missing, doubled or out of order."""
        for user in self.users:
            arrived = [id_ for id_, _ in user.arrived]
            wanted = {one.id for one in user.sent}
            assert wanted - set(arrived) == set(), f"lost for {user.name}"
            assert set(arrived) - wanted == set(), f"never accepted for {user.name}"
            assert [id_ for id_, count in Counter(arrived).items() if count > 1] == [], f"doubled for {user.name}"
            at = dict(user.arrived)
            by_lane: defaultdict[Lane, list[Sent]] = defaultdict(list)
            for one in user.sent:
                one.arrived_at = at[one.id]
                by_lane[one.lane].append(one)
            for lane, sent in by_lane.items():
                ids = {one.id for one in sent}
                assert [id_ for id_ in arrived if id_ in ids] == [one.id for one in sent], f"{lane} out of order"
        return [one for user in self.users for one in user.sent]


def slow(sent: list[Sent], *, since: float = 0.0) -> list[Sent]:
    """What took longer than it should, of what was to be published since then."""
    return [one for one in sent if one.asked_at >= since and one.arrived_at - one.asked_at > SLOW_S]


@asynccontextmanager
async def flowing(settings: Settings, users: int = 20, rate: float = 100.0) -> AsyncGenerator[Traffic]:
    """Traffic for as long as the block takes, and until all of it has arrived."""
    traffic = Traffic(settings, users, rate)
    async with AsyncExitStack() as opened, asyncio.TaskGroup() as tasks:
        token = mint(settings, sub="tests", scope=PUBLISH, ttl_s=TOKEN_S)
        publisher = await opened.enter_async_context(Publisher.http(settings.ingest_url, token=token))
        listening: list[asyncio.Task[None]] = []
        connected: set[str] = set()
        for number, user in enumerate(traffic.users):
            urls = settings.gateway_urls
            subscriber = Subscriber(
                [*urls[number % len(urls) :], *urls[: number % len(urls)]],
                token=mint(settings, sub=user.name, scope=SUBSCRIBE, ttl_s=TOKEN_S),
                on_state=partial(_note, connected, user.name),
            )
            await opened.enter_async_context(subscriber)
            listening.append(tasks.create_task(traffic.listen(user, subscriber)))
        await until(lambda: len(connected) == users, OPEN_WITHIN_S)
        publishing = [
            tasks.create_task(traffic.publish(publisher, user, number / rate))
            for number, user in enumerate(traffic.users)
        ]
        try:
            yield traffic
            traffic.stop()
            async with asyncio.timeout(60.0):  # what is on its way is accepted or refused before it is counted
                await asyncio.gather(*publishing)
            await until(traffic.everything_arrived, 60.0)
        finally:
            traffic.stop()
            for task in listening:
                task.cancel()


def _note(connected: set[str], user: str, state: State) -> None:
    if state is State.LIVE:
        connected.add(user)
