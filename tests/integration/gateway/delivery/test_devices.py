"""Several devices of one user: what one does, the others see, and all of them know the server's count."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx2
import pytest

from clarion.client import HttpPublisher, Lane, Subscriber
from clarion.contracts import times
from clarion.contracts.api.frames import Resync, ServerSync
from clarion.contracts.records.receipts import Op
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications, sessions
from clarion.store.driver.database import Database
from deploy.local.stack import Stack
from tests.conftest import until
from tests.integration.gateway.http.asking import asking, document, store

DEVICES = 3
ROUNDS, ACTS = 5, 14
VERBS = ("read", "unread", "archive", "unarchive")


@dataclass
class Device:
    """A subscriber that handles what comes at once, and what it was told."""

    subscriber: Subscriber
    shown: set[str] = field(default_factory=set[str])
    syncs: list[ServerSync] = field(default_factory=list[ServerSync])

    async def run(self) -> None:
        async for item in self.subscriber:
            self.shown.add(item.id)

    def heard(self, op: Op) -> list[str]:
        return [id_ for sync in self.syncs if sync.change is op for id_ in sync.ids]


@asynccontextmanager
async def device(live: Settings, user: str, gateway: int) -> AsyncGenerator[Device]:
    def hear(frame: ServerSync | Resync) -> None:
        if isinstance(frame, ServerSync):
            found.syncs.append(frame)

    token = mint(live, sub=user, scope=SUBSCRIBE)
    found = Device(Subscriber(live.gateway_urls[gateway], token=token, on_sync=hear))
    async with found.subscriber:
        running = asyncio.create_task(found.run())
        try:
            yield found
        finally:
            running.cancel()
            await asyncio.wait([running])


@asynccontextmanager
async def room(live: Settings, user: str, stored: Database) -> AsyncGenerator[list[Device]]:
    """Two devices on the first gateway, one on the second."""
    async with device(live, user, 0) as phone, device(live, user, 0) as tablet, device(live, user, 1) as laptop:
        devices = [phone, tablet, laptop]

        async def all_are_here() -> bool:
            routes = await sessions.route(sessions.collection(stored), [user])
            greeted = all(one.subscriber.unread_count is not None for one in devices)
            return greeted and len(routes.get(user, ())) == 2

        await until(all_are_here)
        yield devices


def told(devices: list[Device]) -> set[int | None]:
    return {one.subscriber.unread_count for one in devices}


async def all_know(devices: list[Device], stored: Database, user: str) -> int:
    """Wait until every device was last told the server's count; it must stay so."""

    async def do() -> bool:
        return told(devices) == {await notifications.unread(notifications.collection(stored), user)}

    await until(do)
    await asyncio.sleep(0.5)
    count = await notifications.unread(notifications.collection(stored), user)
    assert told(devices) == {count}
    return count


async def test_what_one_device_or_the_api_marks_shows_on_the_others(
    live: Settings, user: str, publisher: HttpPublisher, stored: Database
) -> None:
    async with room(live, user, stored) as devices, asking(live, user, gateway_number=1) as http:
        ids = [await publisher.publish(recipient=user, type="t", message=str(n), priority="high") for n in range(4)]

        async def all_show() -> bool:
            return all(one.shown == set(ids) for one in devices)

        await until(all_show)
        assert await all_know(devices, stored, user) == 4
        phone = devices[0].subscriber
        acts: list[tuple[Callable[[], Awaitable[object]], Op, int]] = [
            (lambda: phone.read(ids[:2]), Op.READ, 2),
            (lambda: http.post("/inbox/unread", json={"ids": ids[:2]}), Op.UNREAD, 4),
            (lambda: phone.archive(ids[:1]), Op.ARCHIVED, 3),
            (lambda: http.post("/inbox/archive", json={"ids": ids[1:2]}), Op.ARCHIVED, 2),
            (lambda: phone.unarchive(ids[:1]), Op.UNARCHIVED, 2),
            (lambda: phone.unread(ids[:1]), Op.UNREAD, 3),
            (lambda: publisher.retract(ids[0]), Op.RETRACTED, 2),
            (phone.read_all, Op.READ, 0),
        ]
        for act, op, count in acts:
            for one in devices:
                one.syncs.clear()
            await act()

            async def all_heard(op: Op = op) -> bool:
                return all(one.heard(op) for one in devices)

            await until(all_heard)
            assert await all_know(devices, stored, user) == count
            assert len({tuple(one.heard(op)) for one in devices}) == 1
        page = await phone.inbox(limit=1)
        assert [(item.id, item.unread) for item in page.items] == [(ids[3], False)]
        page = await phone.inbox(page.next)
        assert [(item.id, item.message, item.lane) for item in page.items] == [(ids[2], "2", Lane.HIGH)]
        assert [item.id for item in (await phone.inbox(archived=True)).items] == [ids[1]]


async def test_what_ends_by_itself_leaves_every_device_and_the_count(
    live: Settings, user: str, publisher: HttpPublisher, stored: Database
) -> None:
    """Delivered and expired afterwards, superseded, and over the recipient's limit: nobody acts, and all are told."""
    async with room(live, user, stored) as devices, asking(live, user) as http:
        soon = times.now() + timedelta(seconds=3)
        gone = await publisher.publish(recipient=user, type="t", message="x", priority="urgent", expires_at=soon)

        async def all_show() -> bool:
            return all(gone in one.shown for one in devices)

        await until(all_show)
        assert await all_know(devices, stored, user) == 1
        [held_back] = await store(stored, document(user, 1, times.now(), state="throttled", unannounced=True))

        async def all_heard() -> bool:
            return all(one.heard(Op.EXPIRED) == [gone] and one.heard(Op.THROTTLED) == [held_back] for one in devices)

        await until(all_heard)
        assert await all_know(devices, stored, user) == 1
        assert [item["id"] for item in (await http.get("/inbox")).json()["items"]] == [held_back]
        status = await publisher.status(gone)
        assert status is not None
        assert status.state == "delivered"


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.timeout(300)
async def test_the_count_never_drifts_whatever_is_done_where(
    seed: int, live: Settings, user: str, publisher: HttpPublisher, stored: Database
) -> None:
    chance = random.Random(seed)
    known: list[str] = []

    async def publish() -> None:
        expires_at = times.now() + timedelta(seconds=1) if chance.random() < 0.15 else None
        key = "same" if chance.random() < 0.2 else None
        lane = chance.choice(list(Lane))
        id_ = await publisher.publish(
            recipient=user, type="t", message="m", priority=lane, collapse_key=key, expires_at=expires_at
        )
        known.append(id_)

    def some() -> list[str]:
        return chance.sample(known, min(len(known), chance.randint(1, 4)))

    async def act(devices: list[Device], https: list[httpx2.AsyncClient]) -> None:
        kind = chance.random()
        if kind < 0.35 or not known:
            await publish()
        elif kind < 0.65:
            subscriber = chance.choice(devices).subscriber
            await getattr(subscriber, chance.choice(VERBS[:3]))(some())
        elif kind < 0.90:
            answer = await chance.choice(https).post(f"/inbox/{chance.choice(VERBS)}", json={"ids": some()})
            assert answer.status_code == 200
        elif kind < 0.95:
            assert (await chance.choice(https).post("/inbox/read-all")).status_code == 200
        elif await publisher.status(id_ := chance.choice(known)):
            await publisher.retract(id_)

    async with (
        room(live, user, stored) as devices,
        asking(live, user, gateway_number=0) as one,
        asking(live, user, gateway_number=1) as other,
    ):
        for _ in range(ROUNDS):
            acts = [act(devices, [one, other]) for _ in range(ACTS)]
            if chance.random() < 0.5:
                await asyncio.gather(*acts)
            else:
                for each in acts:
                    await each

            async def settled() -> bool:
                documents = notifications.collection(stored)
                mine = {"_id": {"$in": known}}
                expiring = {"unread": {"$type": "bool"}, "expires_at": {"$exists": True}}
                open_ones = {"$or": [{"state": "pending"}, expiring]}
                there = await documents.count_documents(mine)
                return there == len(known) and await documents.count_documents(mine | open_ones) == 0

            await until(settled)
            count = await all_know(devices, stored, user)
            assert (await one.get("/inbox/count")).json() == {"unread": count}
            items = (await one.get("/inbox", params={"limit": 200})).json()["items"]
            assert sum(item["unread"] for item in items) == count
            unread = (await other.get("/inbox", params={"limit": 200, "unread": "true"})).json()["items"]
            assert {item["id"] for item in unread} == {item["id"] for item in items if item["unread"]}


@pytest.mark.slow
async def test_marks_made_while_kafka_is_away_are_told_when_it_is_back(
    stack: Stack, live: Settings, user: str, publisher: HttpPublisher, stored: Database
) -> None:
    async with room(live, user, stored) as devices, asking(live, user) as http:
        ids = [await publisher.publish(recipient=user, type="t", message=str(n), priority="urgent") for n in range(2)]

        async def all_show() -> bool:
            return all(one.shown == set(ids) for one in devices)

        await until(all_show)
        assert await all_know(devices, stored, user) == 2
        await stack.stop_child("kafka")
        try:
            for _ in range(2):  # before it is known to be down, and after
                answer = await http.post("/inbox/read", json={"ids": ids[:1]})
                assert answer.json() == {"unread": 1}
                assert (await http.get("/inbox", params={"unread": "true"})).json()["items"][0]["id"] == ids[1]
            await devices[2].subscriber.archive(ids[1:])  # folded directly

            async def is_archived() -> bool:
                return (await http.get("/inbox/count")).json() == {"unread": 0}

            await until(is_archived)
            assert told(devices) == {2}
        finally:
            await stack.start_kafka()

        async def all_heard() -> bool:
            return all(ids[0] in one.heard(Op.READ) and ids[1] in one.heard(Op.ARCHIVED) for one in devices)

        await until(all_heard, within_s=60)
        assert await all_know(devices, stored, user) == 0
