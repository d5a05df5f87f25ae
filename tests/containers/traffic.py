"""Steady traffic to users who are connected, and an account of each notification that was accepted."""

import asyncio
import itertools
import math
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
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
NORMAL_S: Final = 3.0  # for which nothing may have been slow, so that service counts as normal again
_LOOK_EVERY_S: Final = 0.5
_PUBLISHERS: Final = 4


@dataclass(slots=True)
class Sent:
    """One notification: when it was to be published, its id (empty until it is accepted), and when it arrived."""

    lane: Lane
    asked_at: float
    id: str = ""
    accepted_at: float = 0.0
    arrived_at: float = 0.0


@dataclass(slots=True)
class User:
    """What was sent to one user, in order, what arrived, in order, and each change of the state of its client."""

    name: str
    sent: list[Sent] = field(default_factory=list[Sent])
    arrived: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    states: list[tuple[State, float]] = field(default_factory=list[tuple[State, float]])

    def note(self, state: State) -> None:
        self.states.append((state, time.monotonic()))

    def was_live(self, since: float, until: float) -> bool:
        """Whether the client was connected for all of this time."""
        before = [state for state, at in self.states if at <= since]
        return before[-1:] == [State.LIVE] and not any(since < at <= until for _, at in self.states)

    def is_served(self, since: float, until: float) -> bool:
        """Whether something was sent in this time, and all of it arrived as fast as ever."""
        at = dict(self.arrived)
        sent = [one for one in self.sent if since <= one.asked_at < until]
        return bool(sent) and all(at.get(one.id, math.inf) - one.asked_at <= SLOW_S for one in sent)

    def away(self, since: float) -> list[float]:
        """For how long the client was away, each time that it lost its connection since then and came back."""
        lost = [at for state, at in self.states if state is State.WAITING and at >= since]
        back = [at for state, at in self.states if state is State.LIVE]
        return [min(come for come in back if come > at) - at for at in lost]


class Traffic:
    """Each user gets one notification after the other, the lanes in turn, so that their order is known."""

    def __init__(self, settings: Settings, users: int, rate: float) -> None:
        self._settings = settings
        self._pause_s = users / rate
        self._stopping = asyncio.Event()
        self.users = [User(f"user-{new_id()}") for _ in range(users)]
        self.unavailable: list[Unavailable] = []  # answers that made the publisher ask again

    async def listen(self, user: User, subscriber: Subscriber) -> None:
        async for item in subscriber:
            user.arrived.append((item.id, time.monotonic()))

    async def publish(self, publisher: HttpPublisher, user: User, number: int) -> None:
        """Publish at the user's pace; what is late is made up for by nothing.

        By its `number` each user begins at another moment and lane, so that every lane gets something all the time.
        """
        await asyncio.sleep(number * self._pause_s / len(self.users))
        lanes = itertools.islice(itertools.cycle(LANES), number % len(LANES), None)
        while not self._stopping.is_set():
            sent = Sent(next(lanes), time.monotonic())
            user.sent.append(sent)  # from now on: what waits to be accepted is not served
            sent.id = await self._accepted(publisher, user, sent.lane)
            sent.accepted_at = time.monotonic()
            await asyncio.sleep(max(0.0, sent.asked_at + self._pause_s - time.monotonic()))

    async def _accepted(self, publisher: HttpPublisher, user: User, lane: Lane) -> str:
        key = new_id()
        while True:
            try:
                return await publisher.publish(
                    recipient=user.name, type="t", message="m", priority=lane, idempotency_key=key
                )
            except Unavailable as error:
                self.unavailable.append(error)  # it may have been accepted: the same key makes it the same one

    def stop(self) -> None:
        self._stopping.set()

    async def normal_again(self, within_s: float) -> float:
        """Wait until everybody gets everything as fast as ever, and return how long that took; fail when it is late."""
        began = time.monotonic()
        while (took := time.monotonic() - began) <= within_s + NORMAL_S + SLOW_S:
            until = began + took - SLOW_S
            if until - NORMAL_S >= began and all(user.is_served(until - NORMAL_S, until) for user in self.users):
                return until - NORMAL_S - began
            await asyncio.sleep(_LOOK_EVERY_S)
        raise AssertionError(f"service is not normal again after {within_s:g} s")

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


@asynccontextmanager
async def flowing(settings: Settings, users: int = 20, rate: float = 100.0) -> AsyncGenerator[Traffic]:
    """Traffic for as long as the block takes, and until all of it has arrived."""
    traffic = Traffic(settings, users, rate)
    async with AsyncExitStack() as opened, asyncio.TaskGroup() as tasks:
        token = mint(settings, sub="tests", scope=PUBLISH, ttl_s=TOKEN_S)
        # one of them has 16 requests under way at most, which are too few where each takes 0.15 s
        publishers = [
            await opened.enter_async_context(Publisher.http(settings.ingest_url, token=token))
            for _ in range(_PUBLISHERS)
        ]
        listening: list[asyncio.Task[None]] = []
        for number, user in enumerate(traffic.users):
            urls = settings.gateway_urls
            subscriber = Subscriber(
                [*urls[number % len(urls) :], *urls[: number % len(urls)]],
                token=mint(settings, sub=user.name, scope=SUBSCRIBE, ttl_s=TOKEN_S),
                on_state=user.note,
            )
            await opened.enter_async_context(subscriber)
            listening.append(tasks.create_task(traffic.listen(user, subscriber)))
        await until(
            lambda: all(user.states[-1:] and user.states[-1][0] is State.LIVE for user in traffic.users), OPEN_WITHIN_S
        )
        publishing = [
            tasks.create_task(traffic.publish(publishers[number % _PUBLISHERS], user, number))
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
