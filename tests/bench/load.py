"""Load for the benches: notifications to USERS users, every other one online; as a process, at a steady rate.

`python -m tests.bench.load RATE SECONDS` publishes to the low lane of the settings in the environment.
"""

import asyncio
import os
import sys
import time
from typing import Any, Final

import uvloop

from clarion.broker import clients
from clarion.contracts import notification, times
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.notification import Notification
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import database, sessions

USERS: Final = 2_000
MAILBOXES: Final = 8
_AT_ONCE: Final = 5_000
_TICK_S: Final = 0.02


def record(settings: Settings, user: str, lane: Lane, id_: str | None = None) -> dict[str, Any]:
    item = Notification(
        id=id_ or new_id(),
        type="bench.item",
        message="A notification of an ordinary length, as one might be",
        recipient=user,
        sender="bench",
        priority=lane,
        data={"number": 7, "url": "https://example.org/some/where"},
        created_at=times.now(),
    )
    topic = Names(settings.prefix).notifications(lane)
    return {"topic": topic, "key": user.encode(), "value": notification.encode(item)}


async def bring_online(settings: Settings) -> None:
    connection = database.connect(settings)
    online = [sessions.present(f"user-{n}", n // 2 % MAILBOXES, 1, 1) for n in range(0, USERS, 2)]
    await sessions.write(sessions.collection(connection), online)
    database.close(connection)


async def fill(settings: Settings, count: int) -> None:
    """Publish `count` to the low lane, as fast as they go."""
    await bring_online(settings)
    producer = clients.producer(settings, linger_ms=5)
    await producer.start()
    try:
        for start in range(0, count, _AT_ONCE):
            users = (f"user-{n % USERS}" for n in range(start, min(start + _AT_ONCE, count)))
            await clients.send_all(producer, (record(settings, user, Lane.LOW) for user in users), within_s=60)
    finally:
        await producer.stop()


async def steady(settings: Settings, rate: float, seconds: float) -> None:
    """Publish `rate` a second to the low lane for `seconds`."""
    producer = clients.producer(settings, linger_ms=5)
    await producer.start()
    try:
        began, sent = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            due = int(rate * passed) - sent
            users = (f"user-{(sent + n) % USERS}" for n in range(due))
            await clients.send_all(producer, (record(settings, user, Lane.LOW) for user in users), within_s=60)
            sent += due
            await asyncio.sleep(_TICK_S)
    finally:
        await producer.stop()


if __name__ == "__main__":
    os.nice(9)  # as the lane it feeds: on a machine of few cores it must not be what urgent waits for
    uvloop.run(steady(Settings.from_env(), float(sys.argv[1]), float(sys.argv[2])))
