"""Of a flood of updates under one collapse key the newest is shown live at the end, though the limit held it back."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from clarion.broker import clients
from clarion.broker.partitioner import partition_of
from clarion.client import Lane, Publisher, Submission
from clarion.contracts import times
from clarion.contracts.ids import new_id
from clarion.contracts.records.receipts import Op
from clarion.contracts.topics import Names
from clarion.resilience.gcra import RateLimit
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from clarion.store.updates import receipt_updates
from clarion.store.updates.receipt_updates import Change
from services.stream.scheduler.show_throttled import QUIET, ShowThrottledLoop
from tests.conftest import until
from tests.gateways import gateway, greeted, wire
from tests.subprocesses import child, env_of

BODY: Final = b'{"message":"m","lane":"high","ord":[0,1]}'
LIMIT: Final = {"CLARION_RECIPIENT_RATE": "1", "CLARION_RECIPIENT_BURST": "1", "CLARION_ADMIN_PORT": "0"}

Flood = Callable[[Publisher, str], Awaitable[None]]


def update(user: str, message: str, key: str | None = "build") -> Submission:
    return Submission(type="t", message=message, recipient=user, priority=Lane.HIGH, collapse_key=key)


async def at_once(publisher: Publisher, user: str) -> None:
    await publisher.publish_many([update(user, str(n)) for n in range(1, 201)])


async def one_by_one(publisher: Publisher, user: str) -> None:
    """At 60 a second for 5 s."""
    for n in range(1, 301):
        await publisher.publish_many([update(user, str(n))])
        await asyncio.sleep(1 / 60)


@dataclass
class Screen:
    """What a client without an SDK shows: it acknowledges all, and takes away what it is told to."""

    shown: dict[str, str] = field(default_factory=dict[str, str])
    came: list[str] = field(default_factory=list[str])  # messages, repeats too
    throttled: set[str] = field(default_factory=set[str])  # ids it was told of

    async def follow(self, socket: Any) -> None:
        async for text in socket:
            frame = json.loads(text)
            match frame["op"]:
                case "batch":
                    self.shown |= {item["id"]: item["message"] for item in frame["items"]}
                    self.came += [item["message"] for item in frame["items"]]
                    await socket.send(f'{{"op":"ack","tag":{frame["tag"]}}}')
                case "ping":
                    await socket.send('{"op":"pong"}')
                case "sync":
                    if frame["change"] == "collapsed":
                        self.shown = {id_: text for id_, text in self.shown.items() if id_ not in frame["ids"]}
                    elif frame["change"] == "throttled":
                        self.throttled |= set(frame["ids"])
                case _:
                    pass


@asynccontextmanager
async def screen(url: str, settings: Settings, user: str) -> AsyncGenerator[Screen]:
    async with wire(url, mint(settings, sub=user, scope=SUBSCRIBE)) as socket:
        await greeted(socket)
        one = Screen()
        task = asyncio.create_task(one.follow(socket))
        yield one
        task.cancel()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_newest_of_a_flood_is_shown_live_at_the_end_once(settings: Settings, tmp_path: Path) -> None:
    connection = database.connect(settings)
    documents = notifications.collection(connection)
    env, stream = env_of(settings) | LIMIT, ("-m", "clarion.cli", "stream", "--role")
    async with (
        Publisher.kafka(settings.kafka, sender="tests", prefix=settings.prefix) as publisher,
        gateway(settings, tmp_path) as own,
        child((*stream, "lane", "--lane", Lane.HIGH), env),
        child((*stream, "scheduler"), env),
        child((*stream, "receipts"), env),
    ):
        for user, flood, last in (("ann", at_once, "200"), ("bob", one_by_one, "300")):
            async with screen(own.url, settings, user) as seen:
                await publisher.publish_many([update(user, "takes the token", None)])

                async def has_token_taken(seen: Screen = seen) -> bool:
                    return "takes the token" in seen.came

                await until(has_token_taken, within_s=90)  # from a process's first breath, on a busy machine
                await flood(publisher, user)

                async def newest_is_delivered(user: str = user, last: str = last) -> bool:
                    mine = {"recipient": user, "collapse_key": "build", "unread": True}
                    found = await documents.find(mine).to_list(None)
                    return [d["state"] for d in found] == [State.DELIVERED] and f'"{last}"' in str(found[0]["body"])

                await until(newest_is_delivered)

                async def only_the_newest_is_left(seen: Screen = seen, last: str = last) -> bool:
                    return list(seen.shown.values()) == ["takes the token", last]

                await until(only_the_newest_is_left)
                assert seen.came.count(last) == 1
                assert not seen.throttled & set(seen.shown)
                assert await notifications.unread(documents, user) == 2
        assert await documents.count_documents({"deferred": True}) == 0
    await connection.client.drop_database(connection.name)
    database.close(connection)


async def test_what_is_unwanted_or_beyond_the_limit_is_not_shown(settings: Settings, own: Database) -> None:
    documents, long_ago = notifications.collection(own), times.now() - 2 * QUIET
    keep = times.now() + timedelta(days=1)

    def held(user: str, n: int, **more: object) -> dict[str, Any]:
        base = {"_id": new_id(), "recipient": user, "lane": "high", "ord": n, "body": BODY, "purge_at": keep}
        return base | {"state": "throttled", "unread": True, "deferred": True, "stored_at": long_ago} | more

    shown, over = held("ann", 1), held("ann", 2, stored_at=long_ago + QUIET / 2)
    fresh, read = held("bob", 3, stored_at=times.now() + QUIET), held("bob", 4)
    unsure = held("cy", 5, state="pending", late=True)  # a worker has died between the steps
    another = held("di", 6)
    await documents.insert_many([shown, over, fresh, read, unsure, another])
    await receipt_updates.fold(documents, [Change(Op.READ, (read["_id"],), times.now(), "bob")])
    mine = {partition_of(user, 1_000) for user in ("ann", "bob", "cy")}
    async with clients.producer(settings) as producer:
        names = Names(settings.prefix)
        deferring = ShowThrottledLoop(names, own, producer, lambda: mine, 1_000, RateLimit(1, 1))
        await deferring.step()
    found = {d["_id"]: d async for d in documents.find({})}

    def left(one: dict[str, Any]) -> tuple[str, bool, bool]:
        after = found[one["_id"]]
        return after["state"], "deferred" in after, "unannounced" in after

    assert left(shown) == ("pending", False, False)
    assert left(over) == ("throttled", False, True)  # announced as throttled, as what has no key
    assert left(fresh) == ("throttled", True, False)
    assert left(read) == ("throttled", False, False)
    assert left(unsure) == ("pending", False, False)
    assert left(another) == ("throttled", True, False)  # another worker's
