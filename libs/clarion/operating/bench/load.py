"""Puts the load on: publishes through ingest, and receives through gateways, as any service and client do."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from clarion.client import ClientError, HttpPublisher, Publisher, State, Subscriber
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.operating.bench.figures import Report, Tally, report
from clarion.operating.bench.plan import PREFIX, Plan, Planned

CONNECT_S: Final = 30.0
DRAIN_S: Final = 15.0  # for what is on its way at the end: three times the objective of the slowest lane
_UNDER_WAY_MOST: Final = 4_000  # of calls to publish; beyond, the load waits, and its rate is lower than asked
_EXPIRES: Final = timedelta(minutes=10)  # what nobody acknowledged leaves the inbox of its user by itself
_TYPE: Final = "clarion.bench"
_ERROR_CHARS: Final = 200


class BenchError(Exception):
    """The load could not be put on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A user of the load, whose name begins with `PREFIX`, and a token to subscribe as that user."""

    name: str
    token: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where the load goes, and as whom."""

    ingest_url: str
    gateway_urls: Sequence[str]
    publish_token: str
    recipients: Sequence[Recipient]


async def run(plan: Plan, target: Target, progress: Callable[[Tally], None] = lambda _: None) -> Report:
    """Put the load on, wait for what is on its way, and return what it has shown.

    `progress` is called now and then. Raises `BenchError` when clients cannot connect, or a recipient is a real user.
    """
    if strangers := [one.name for one in target.recipients if not one.name.startswith(PREFIX)]:
        raise BenchError(f"the user {strangers[0]} may be a real one: give tokens of users called {PREFIX}…")
    load = _Load(plan, target, Tally(), progress, run=new_id())
    subscribers = [Subscriber(target.gateway_urls, token=one.token) for one in target.recipients]
    receiving = [asyncio.create_task(load.receive(one)) for one in subscribers]
    try:
        await _connected(subscribers, receiving)
        async with Publisher.http(target.ingest_url, token=target.publish_token) as publisher:
            seconds = await load.publish_all(publisher)
            await load.drained()
    finally:
        for task in receiving:
            task.cancel()
        ended = await asyncio.gather(*receiving, return_exceptions=True)
    load.tally.errors += [f"a client ended: {error}"[:_ERROR_CHARS] for error in ended if isinstance(error, Exception)]
    load.tally.repeats += sum(subscriber.stats.repeats for subscriber in subscribers)
    return report(load.tally, seconds)


async def _connected(subscribers: Sequence[Subscriber], receiving: Sequence["asyncio.Task[None]"]) -> None:
    """Wait until all clients are connected. Raises `BenchError`."""
    ends_at = time.monotonic() + CONNECT_S
    while waiting := [one for one in subscribers if one.state is not State.LIVE]:
        ended = next((task for task in receiving if task.done()), None)
        if ended is not None:
            raise BenchError(f"a client cannot connect: {ended.exception()}")
        if time.monotonic() > ends_at:
            raise BenchError(
                f"{len(waiting)} of {len(subscribers)} clients are not connected after {CONNECT_S:g} s: "
                "check CLARION_GATEWAY_URL, and the limit of connections from one address"
            )
        await asyncio.sleep(0.05)


@dataclass(slots=True)
class _Load:
    """A load while it is put on. Each notification has the `run` and its number, by which it is known on arrival."""

    plan: Plan
    target: Target
    tally: Tally
    progress: Callable[[Tally], None]
    run: str
    started: dict[int, float] = field(default_factory=dict[int, float])
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_UNDER_WAY_MOST))

    async def receive(self, subscriber: Subscriber) -> None:
        """Take what arrives for one user, until cancelled."""
        async with subscriber as notifications:
            async for item in notifications:
                now, number = time.monotonic(), item.data.get("number")
                if item.data.get("run") == self.run and isinstance(number, int) and number in self.started:
                    self.tally.arrived(number, now - self.started[number])

    async def publish_all(self, publisher: HttpPublisher) -> float:
        """Publish at the times of the plan, whatever becomes of what was published before; return how long it took."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number, planned in enumerate(self.plan.notifications()):
                await self.room.acquire()
                if (early := began + planned.at - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                self.started[number], self.tally.published[number] = time.monotonic(), planned.lane
                tasks.create_task(self._publish(publisher, number, planned))
                self.progress(self.tally)
            return max(time.monotonic() - began, self.plan.seconds)

    async def _publish(self, publisher: HttpPublisher, number: int, planned: Planned) -> None:
        try:
            await publisher.publish(
                recipient=self.target.recipients[planned.user].name,
                type=_TYPE,
                message=f"number {number} of a load by `clarion bench`",
                priority=planned.lane,
                data={"run": self.run, "number": number},
                expires_at=times.now() + _EXPIRES,
            )
        except ClientError as error:
            self.tally.errors.append(str(error)[:_ERROR_CHARS])
        else:
            self.tally.accepted.add(number)
        finally:
            self.room.release()

    async def drained(self) -> None:
        """Wait for what is on its way, for `DRAIN_S` at most."""
        ends_at = time.monotonic() + DRAIN_S
        while self.tally.missing() and time.monotonic() < ends_at:
            await asyncio.sleep(0.05)
            self.progress(self.tally)
