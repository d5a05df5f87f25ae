"""Load for the benches: notifications to USERS users, every other one online; as a process, at a steady rate.

`python -m tests.bench.stream.load RATE SECONDS` publishes to the low lane of the settings in the environment.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from itertools import cycle, islice
from typing import Any, Final

import uvloop

from clarion.broker import clients
from clarion.broker.keyed_producer import send_keyed
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import notification
from clarion.contracts.records.notification import Notification
from clarion.contracts.topics import Names
from clarion.contracts.trace import TRACEPARENT, Trace
from clarion.settings import Settings
from clarion.store import sessions
from clarion.store.driver import database

USERS: Final = 2_000
MAILBOXES: Final = 8
_AT_ONCE: Final = 5_000
_TICK_S: Final = 0.02


def record(settings: Settings, user: str, lane: Lane, id_: str | None = None) -> dict[str, Any]:
    topic = Names(settings.prefix).notifications(lane)
    return {"topic": topic, "key": user.encode(), "value": _value(user, lane, id_ or new_id())}


def _value(user: str, lane: Lane, id_: str) -> bytes:
    item = Notification(
        id=id_,
        type="bench.item",
        message="A notification of an ordinary length, as one might be",
        recipient=user,
        sender="bench",
        priority=lane,
        data={"number": 7, "url": "https://example.org/some/where"},
        created_at=times.now(),
    )
    return notification.encode(item)


class Traced(Enum):
    """Which records have a `traceparent`."""

    NONE = 0
    SAMPLED = 1  # one in a hundred, as ingest writes them for senders without traces
    ALL = 2  # each sender brings one; one in a hundred is sampled


@asynccontextmanager
async def publisher(
    settings: Settings, *, traced: Traced = Traced.NONE
) -> AsyncGenerator[Callable[[int], Awaitable[None]]]:
    """Publishes so many to the low lane when called, for one user after the other, each with an id of its own.

    At little more than that costs: on a machine of few cores, publishing must not be what the lanes wait for.
    """
    id_, topic = new_id(), Names(settings.prefix).notifications(Lane.LOW)
    users = [f"user-{n}" for n in range(USERS)]
    parts = cycle([(user, *_value(user, Lane.LOW, id_).split(id_.encode())) for user in users])
    named = [[(TRACEPARENT, str(Trace("a" * 32, f"{n:016x}", n == 1)).encode())] for n in range(1, 101)]
    headers = cycle(named if traced is Traced.ALL else [named[0], *[[]] * 99])
    producer = clients.producer(settings)

    async def publish(count: int) -> None:
        records = ((user, new_id().encode().join((head, tail))) for user, head, tail in islice(parts, count))
        with_traces = ((user, value, next(headers)) for user, value in records)
        await send_keyed(producer, topic, records if traced is Traced.NONE else with_traces, within_s=60)

    await producer.start()
    try:
        yield publish
    finally:
        await producer.stop()


async def bring_online(settings: Settings) -> None:
    connection = database.connect(settings)
    online = [sessions.present(f"user-{n}", n // 2 % MAILBOXES, 1, 1) for n in range(0, USERS, 2)]
    await sessions.write(sessions.collection(connection), online)
    database.close(connection)


async def fill(settings: Settings, count: int, *, traced: Traced = Traced.NONE) -> None:
    """Publish `count` to the low lane, as fast as they go."""
    await bring_online(settings)
    async with publisher(settings, traced=traced) as publish:
        for start in range(0, count, _AT_ONCE):
            await publish(min(_AT_ONCE, count - start))


async def steady(settings: Settings, rate: float, seconds: float) -> None:
    """Publish `rate` a second to the low lane for `seconds`."""
    async with publisher(settings) as publish:
        began, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            if due := int(rate * passed) - sent:
                await publish(due)
                sent += due
            await asyncio.sleep(_TICK_S)


if __name__ == "__main__":
    os.nice(9)  # as the lane it feeds: on a machine of few cores it must not be what urgent waits for
    uvloop.run(steady(Settings.from_env(), float(sys.argv[1]), float(sys.argv[2])))
