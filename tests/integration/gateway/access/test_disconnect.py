"""An operator disconnects a user: at every gateway, whatever way that hears of it, for as long as a token may live."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from aiokafka import TopicPartition
from websockets.asyncio.client import ClientConnection

from clarion.broker import clients
from clarion.client import Lane, Publisher
from clarion.contracts import times
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Control
from clarion.contracts.topics import Names
from clarion.security.tokens import OPERATE, PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import mailboxes, revocations
from clarion.store.driver import database
from clarion.store.driver.database import Database
from clarion.store.revocations import LATEST
from clarion.telemetry.health import Dependency
from clarion.web.revocations import seconds_after
from deploy.local.stack import Stack
from services.gateway.http.disconnect import Disconnect
from tests.conftest import until
from tests.disconnecting import disconnect, next_second
from tests.gateways import RESUME, close_code, frame, gateway, greeted, wire
from tests.proxy import mongodb_at, proxied

CLOSED_WITHIN_S = 30.0


async def inbox_status(url: str, token: str) -> int:
    async with httpx2.AsyncClient(trust_env=False, base_url=url, timeout=20) as http:
        return (await http.get("/v1/inbox", headers={"Authorization": f"Bearer {token}"})).status_code


async def refused(url: str, token: str) -> None:
    async with wire(url, token) as socket:
        await socket.send(RESUME)
        assert await close_code(socket) == 4401


@asynccontextmanager
async def deliveries_from_now_on(live: Settings) -> AsyncGenerator[Any]:
    """A consumer of every mailbox's urgent partition."""
    consumer: Any = clients.mailbox_consumer(live)
    await consumer.start()
    try:
        topic = Names(live.prefix).deliveries_urgent
        partitions = [TopicPartition(topic, number) for number in range(live.partitions_deliveries)]
        consumer.assign(partitions)
        for partition, end in (await consumer.end_offsets(partitions)).items():
            consumer.seek(partition, end)
        yield consumer
    finally:
        await consumer.stop()


async def told(consumer: Any, user: str) -> set[int]:
    """The mailboxes to which is said that `user` is disconnected, until nothing more is said."""
    found: set[int] = set()
    async with asyncio.timeout(20):
        while (fetched := await consumer.getmany(timeout_ms=1_000)) or not found:
            for partition, records in fetched.items():
                controls = [deliveries.decode(record.value) for record in records]
                found |= {partition.partition for one in controls if isinstance(one, Control) and one.user == user}
    return found


async def test_a_user_disconnected_everywhere_needs_a_new_token(
    live: Settings, user: str, stored: Database, publisher: Publisher
) -> None:
    old = mint(live, sub=user, scope=SUBSCRIBE)
    neighbour = mint(live, sub=f"{user}-neighbour", scope=SUBSCRIBE)
    one, other = live.gateway_urls
    async with wire(one, old) as here, wire(other, old) as there, wire(other, neighbour) as beside:
        for socket in (here, there, beside):
            await greeted(socket)
        assert [await inbox_status(url, old) for url in (one, other)] == [200, 200]
        # an earlier test may have stopped Kafka: both read their mailboxes again, and this one writes again
        id_ = await publisher.publish(recipient=user, type="t", message="before", priority=Lane.URGENT)
        await asyncio.gather(frame(here, "batch"), frame(there, "batch"))
        await here.send(json.dumps({"op": "read", "ids": [id_]}))
        await asyncio.gather(frame(here, "sync"), frame(there, "sync"))
        leases = await mailboxes.find_all(mailboxes.collection(stored))
        owned = {number for number, lease in leases.items() if lease.owner}
        async with deliveries_from_now_on(live) as consumer:
            answer = await disconnect(one, user, mint(live, sub="ops", scope=OPERATE))
            assert answer.status_code == 202
            assert answer.json()["tokens_from"] > times.rfc3339(times.now())
            assert await asyncio.gather(close_code(here), close_code(there)) == [4401, 4401]
            assert await told(consumer, user) == owned
        await beside.send('{"op":"read","ids":["019353f5-0f2a-7c11-8a5b-0123456789ab"]}')
        assert (await frame(beside, "sync"))["change"] == "read"
    for url in (one, other):
        await refused(url, old)
        assert await inbox_status(url, old) == 401
    await next_second()
    fresh = mint(live, sub=user, scope=SUBSCRIBE)
    for url in (one, other):
        assert await inbox_status(url, fresh) == 200
        async with wire(url, fresh) as socket:
            await greeted(socket)
    kept = await revocations.collection(stored).find_one({"_id": user})
    assert kept is not None
    assert (kept["purge_at"] - times.now()).total_seconds() > live.token_life_s


async def publish_status(url: str, token: str) -> int:
    body = {"type": "t", "message": "x", "recipient": "nobody"}
    async with httpx2.AsyncClient(trust_env=False, base_url=url, timeout=20) as http:
        return (
            await http.post("/v1/notifications", json=body, headers={"Authorization": f"Bearer {token}"})
        ).status_code


@pytest.mark.parametrize("ahead_s", [0, 30])
async def test_ingest_refuses_them_also_if_the_issuers_clock_is_ahead(live: Settings, user: str, ahead_s: int) -> None:
    now = int(time.time())
    claims = {"sub": user, "scope": PUBLISH, "iss": live.jwt_issuer, "aud": live.jwt_audience}
    old = jwt.encode(claims | {"iat": now + ahead_s, "exp": now + 600}, live.jwt_secret, "HS256")
    assert await publish_status(live.ingest_url, old) == 202
    assert (await disconnect(live.gateway_urls[1], user, mint(live, sub="ops", scope=OPERATE))).status_code == 202

    async def is_refused() -> bool:
        return await publish_status(live.ingest_url, old) == 401

    await until(is_refused, within_s=20)
    await asyncio.sleep(2)
    assert await is_refused()
    if not ahead_s:
        await next_second()
        assert await publish_status(live.ingest_url, mint(live, sub=user, scope=PUBLISH)) == 202


async def test_only_an_operator_with_a_valid_token_may_disconnect(live: Settings, user: str) -> None:
    url = live.gateway_urls[0]
    assert (await disconnect(url, user, mint(live, sub="ops", scope=SUBSCRIBE))).status_code == 403
    assert (await disconnect(url, user, "nonsense")).status_code == 401
    operator = mint(live, sub=f"{user}-ops", scope=OPERATE)
    assert (await disconnect(url, "x" * 129, operator)).status_code == 422
    for nobody in ("", "%2E", "%2E%2E", "a%00"):
        answer = await disconnect(url, nobody, operator)
        assert answer.status_code == 422, nobody
        assert answer.json()["errors"][0]["code"] == "name"
    async with httpx2.AsyncClient(trust_env=False, base_url=url) as http:
        headers = {"Authorization": f"Bearer {operator}"}
        answer = await http.post(f"/v1/users/{user}/disconnect?token={operator}", headers=headers)
        assert (answer.status_code, "URL" in answer.json()["detail"]) == (401, True)
    assert (await disconnect(url, f"{user}-ops", operator)).status_code == 202
    assert (await disconnect(url, user, operator)).status_code == 401


async def test_a_refresh_with_a_revoked_token_ends_the_connection(live: Settings, user: str) -> None:
    old = mint(live, sub=user, scope=SUBSCRIBE)
    await next_second()
    async with wire(live.gateway_urls[1], old) as socket:
        await greeted(socket)
        assert (await disconnect(live.gateway_urls[0], user, mint(live, sub="ops", scope=OPERATE))).status_code == 202
        await socket.send(json.dumps({"op": "auth", "token": mint(live, sub=user, scope=SUBSCRIBE, ttl_s=7_000)}))
        assert await close_code(socket) == 4401


async def test_the_gateway_asked_refuses_at_once_also_without_kafka(settings: Settings) -> None:
    """Else it would still take these tokens, until its own record comes back to it."""
    stored, told = database.connect(settings), dict[str, datetime]()
    down = Dependency("kafka", up=False)
    async with clients.producer(settings) as producer:
        tokens_from = await Disconnect(told.__setitem__, stored, producer, down, Names(settings.prefix), 60)("ann")
    assert told == {"ann": tokens_from} == await revocations.of(revocations.collection(stored), ["ann", "bob"])
    database.close(stored)


@pytest.mark.slow
async def test_a_gateway_that_is_told_closes_whatever_the_store_says(settings: Settings, tmp_path: Path) -> None:
    """Nothing is stored, so there is nothing to find: it is the telling that closes."""
    old = mint(settings, sub="ann", scope=SUBSCRIBE)
    async with (
        gateway(settings, tmp_path) as own,
        clients.producer(settings) as producer,
        wire(own.url, old) as socket,
        wire(own.url, mint(settings, sub="bob", scope=SUBSCRIBE)) as neighbour,
    ):
        await asyncio.gather(greeted(socket), greeted(neighbour))
        mailbox = (await own.figures())["mailbox"]
        control = deliveries.encode(Control("disconnect", "ann", seconds_after(times.now())))
        await producer.send_and_wait(Names(settings.prefix).deliveries_urgent, control, partition=mailbox)
        assert await close_code(socket) == 4401
        await refused(own.url, old)
        ping = await neighbour.ping()
        async with asyncio.timeout(10):
            await ping


@pytest.mark.slow
@pytest.mark.parametrize(
    ("others", "ann", "bob"),
    [
        pytest.param(0, 4401, "hello", id="all that is revoked is known"),
        pytest.param(LATEST, 1013, "bye", id="more is revoked than a gateway keeps"),
    ],
)
async def test_without_mongodb_whoever_is_revoked_hears_nothing(
    others: int, ann: int, bob: str, settings: Settings, stack: Stack, tmp_path: Path
) -> None:
    """Others are greeted, as degraded, so that what is urgent reaches them. Who cannot be judged has to come back."""
    tokens = {user: mint(settings, sub=user, scope=SUBSCRIBE) for user in ("ann", "bob")}
    connection, soon = database.connect(settings), times.now() + timedelta(hours=1)
    stored = revocations.collection(connection)
    await revocations.revoke(stored, "ann", seconds_after(times.now()), soon)
    if others:
        later = times.now() + timedelta(minutes=10)
        await stored.insert_many([{"_id": f"user-{n}", "before": later, "purge_at": soon} for n in range(others)])
    async with (
        proxied("127.0.0.1", stack.ports["mongodb"]) as way,
        gateway(settings, tmp_path, mongodb=mongodb_at(way.port)) as own,
    ):
        way.cut()
        async with wire(own.url, tokens["ann"]) as socket:
            await socket.send(RESUME)
            assert await close_code(socket) == ann
        async with wire(own.url, tokens["bob"]) as socket:
            await socket.send(RESUME)
            assert (await frame(socket, bob)).get("degraded", True)
        way.is_cut = False
        await refused(own.url, tokens["ann"])
    database.close(connection)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["a gateway that was not told finds it", "a gateway that starts later looks it up"])
async def test_it_is_found_in_the_store(how: str, settings: Settings, tmp_path: Path) -> None:
    stored = database.connect(settings)
    old = mint(settings, sub="ann", scope=SUBSCRIBE)

    async def revoke() -> None:
        tokens_from = seconds_after(times.now())
        keep_until = tokens_from + timedelta(hours=1)  # MongoDB looks once a minute what it may purge
        await revocations.revoke(revocations.collection(stored), "ann", tokens_from, keep_until)

    if how.startswith("a gateway that starts"):
        await revoke()
    async with gateway(settings, tmp_path) as own:
        if how.startswith("a gateway that was not"):
            async with wire(own.url, old) as socket:
                await greeted(socket)
                began = time.monotonic()
                await revoke()
                assert await asyncio.wait_for(_closed(socket), CLOSED_WITHIN_S) == 4401
                assert time.monotonic() - began < CLOSED_WITHIN_S
        await refused(own.url, old)
    database.close(stored)


async def _closed(socket: ClientConnection) -> int | None:
    await socket.wait_closed()
    return socket.close_code
