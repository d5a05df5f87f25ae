"""The wire: what a gateway answers to clients that do not keep to the protocol, while their neighbours are served."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from clarion.client import Publisher, Subscriber
from clarion.contracts import limits, times
from clarion.security.tokens import PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import mailboxes, notifications, sessions
from clarion.store.driver.database import Database
from deploy.local.stack import Stack
from services.gateway.client.connection import MAILBOX_LOST
from tests import gateways
from tests.conftest import until
from tests.gateways import RESUME, close_code, frame, greeted


@asynccontextmanager
async def wire(live: Settings, token: str, *, gateway: int = 0, **options: Any) -> AsyncGenerator[ClientConnection]:
    async with gateways.wire(live.gateway_urls[gateway], token, **options) as socket:
        yield socket


@pytest.fixture
def token(live: Settings, user: str) -> str:
    return mint(live, sub=user, scope=SUBSCRIBE)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        pytest.param(b"\x00\x01", 1003, id="a binary frame"),
        pytest.param("x" * 100 * limits.KIB, 1009, id="a 100 KB text frame"),
        pytest.param("{nonsense", 4400, id="no JSON"),
        pytest.param('{"op":"dance"}', 4400, id="an unknown op"),
        pytest.param('{"op":"ack","tag":"one"}', 4400, id="a field of another type"),
        pytest.param('{"op":"ack","tag":99}', 4400, id="an acknowledgement of what was never sent"),
        pytest.param(RESUME, 4400, id="a second resume"),
        pytest.param('{"op":"read","ids":["x"]}', 4400, id="an id that is none"),
    ],
)
async def test_a_bad_frame_gets_its_close_code_and_harms_no_neighbour(
    message: str | bytes,
    code: int,
    live: Settings,
    token: str,
    user: str,
    publisher: Publisher,
    subscriber: Callable[[str], Subscriber],
    stored: Database,
) -> None:
    neighbour = f"{user}-neighbour"
    async with subscriber(neighbour) as served, wire(live, token) as socket:
        await greeted(socket)
        await until(lambda: sessions.route(sessions.collection(stored), [neighbour]))
        await socket.send(message)
        assert await close_code(socket) == code
        id_ = await publisher.publish(recipient=neighbour, type="t", message="still here", priority="urgent")
        async with asyncio.timeout(20):
            assert (await anext(served)).id == id_


async def test_text_that_is_not_utf8_is_1007_also_in_fragments(live: Settings, token: str) -> None:
    async with wire(live, token) as socket:
        await greeted(socket)
        await socket.send([b'{"op":"po', b"ng\xff", b'"}'], text=True)
        assert await close_code(socket) == 1007


async def test_a_frame_in_fragments_is_one_frame(live: Settings, token: str) -> None:
    async with wire(live, token) as socket:
        await socket.send([RESUME[:10], RESUME[10:20], RESUME[20:]])
        assert (await frame(socket, "hello"))["resumed"] is False
        await socket.send(['{"op":', '"pong"}'])
        await socket.send(['{"op":', '"dance"}'])
        assert (await frame(socket, "error"))["code"] == "protocol"


async def test_tokens_are_checked_after_the_upgrade(live: Settings, user: str) -> None:
    foreign = mint(live, sub=user, scope=SUBSCRIBE)[:-4] + "AAAA"
    for token, code in [
        ("", 4401),
        (foreign, 4401),
        (mint(live, sub=user, scope=SUBSCRIBE, ttl_s=-60), 4401),
        (mint(live, sub=user, scope=PUBLISH), 4403),
    ]:
        async with wire(live, token) as socket:
            assert await close_code(socket) == code


async def test_a_connection_ends_with_its_token_unless_it_is_refreshed(live: Settings, user: str) -> None:
    async def opened(socket: ClientConnection) -> None:
        await greeted(socket)

    began = time.time()
    short = mint(live, sub=user, scope=SUBSCRIBE, ttl_s=2)
    async with wire(live, short) as expiring, wire(live, short) as refreshed:
        await asyncio.gather(opened(expiring), opened(refreshed))
        await refreshed.send(json.dumps({"op": "auth", "token": mint(live, sub=user, scope=SUBSCRIBE)}))
        assert await close_code(expiring) == 4401
        assert time.time() - began < 2 + 8  # in the second after, on a busy machine
        await refreshed.send('{"op":"read","ids":["019353f5-0f2a-7c11-8a5b-0123456789ab"]}')
        assert (await frame(refreshed, "sync"))["change"] == "read"


async def test_a_refresh_for_somebody_else_is_4403(live: Settings, token: str) -> None:
    async with wire(live, token) as socket:
        await greeted(socket)
        await socket.send(json.dumps({"op": "auth", "token": mint(live, sub="somebody", scope=SUBSCRIBE)}))
        assert await close_code(socket) == 4403


async def test_a_user_has_ten_connections_and_the_eleventh_is_4429(live: Settings, token: str) -> None:
    async with asyncio.timeout(60):
        sockets = [connection async for connection in _many(live, token, live.connections_per_user)]
        async with wire(live, token) as one_more:
            await one_more.send(RESUME)
            assert await close_code(one_more) == 4429
        await asyncio.gather(*(socket.close() for socket in sockets))


async def _many(live: Settings, token: str, count: int) -> AsyncGenerator[ClientConnection]:
    url = live.gateway_urls[0].replace("http", "ws") + "/v1/ws"
    subprotocols: Any = ["clarion.v1", f"bearer.{token}"]
    for _ in range(count):
        socket = await connect(url, subprotocols=subprotocols, compression=None, ping_interval=None)
        await greeted(socket)
        yield socket


async def _read(socket: ClientConnection) -> None:
    await socket.send('{"op":"read","ids":["019353f5-0f2a-7c11-8a5b-0123456789ab"]}')


async def _answer_no_ping(socket: ClientConnection) -> None:
    await socket.send('{"op":"pong"}')


async def _ping(socket: ClientConnection) -> None:
    await socket.ping()


async def _pong(socket: ClientConnection) -> None:
    await socket.pong()


async def _say_nothing_in_parts(socket: ClientConnection) -> None:
    await socket.send(['{"op":', *100 * [""], '"pong"}'])


@pytest.mark.parametrize(
    "say",
    [
        _read,
        _answer_no_ping,
        *(pytest.param(say, marks=pytest.mark.slow) for say in (_ping, _pong, _say_nothing_in_parts)),
    ],
)
async def test_fifty_frames_a_second_are_enough(
    live: Settings, token: str, say: Callable[[ClientConnection], Awaitable[None]]
) -> None:
    async with wire(live, token) as socket:
        await greeted(socket)
        with suppress(ConnectionClosed):
            for _ in range(120):
                await say(socket)
        assert await close_code(socket) == 4429


async def test_a_foreign_origin_or_path_is_refused_before_the_upgrade(live: Settings, token: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with wire(live, token, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    async with wire(live, token, origin=live.origin_list[0]) as socket:
        await greeted(socket)
    with pytest.raises(InvalidStatus) as refused:
        async with connect(live.gateway_urls[0].replace("http", "ws") + "/elsewhere"):
            pass
    assert refused.value.response.status_code == 404


async def test_a_silent_client_counts_as_fresh_and_may_resume_late(
    live: Settings, token: str, user: str, publisher: Publisher
) -> None:
    id_ = await publisher.publish(recipient=user, type="t", message="waiting", priority="high")
    async with wire(live, token) as socket:
        assert (await frame(socket, "hello"))["resumed"] is False
        batch = await frame(socket, "batch")
        assert [item["id"] for item in batch["items"]] == [id_]
        await socket.send(RESUME)  # came late over a slow network: no violation
        await socket.send('{"op":"ack","tag":1}')
        assert (await frame(socket, "sync"))["change"] == "delivered"


async def test_a_client_that_resumes_late_is_sent_to_its_inbox(
    live: Settings, token: str, user: str, publisher: Publisher, stored: Database
) -> None:
    long_ago = {"delivered_at": times.now() - timedelta(minutes=1)}  # further back than a fresh client looks

    async with wire(live, token) as other:
        await greeted(other)
        seen = await publisher.publish(recipient=user, type="t", message="seen", priority="high")
        await frame(other, "batch")
        await other.send('{"op":"ack","tag":1}')
        await frame(other, "sync")

    async def was_delivered() -> bool:
        mine = {"_id": seen, "state": "delivered"}
        return (await notifications.collection(stored).update_one(mine, {"$set": long_ago})).matched_count == 1

    await until(was_delivered)
    waiting = await publisher.publish(recipient=user, type="t", message="waiting", priority="high")
    async with wire(live, token) as socket:
        batch = await frame(socket, "batch")
        assert [item["id"] for item in batch["items"]] == [waiting]
        since = times.rfc3339(times.now() - timedelta(minutes=5))
        await socket.send(f'{{"op":"resume","cursors":{{}},"since":"{since}"}}')
        assert await frame(socket, "resync")


async def test_the_token_may_come_in_a_header(live: Settings, token: str) -> None:
    url = live.gateway_urls[1].replace("http", "ws") + "/v1/ws"
    async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        await greeted(socket)


async def test_a_user_who_leaves_is_no_longer_routed_to(
    live: Settings, token: str, user: str, stored: Database
) -> None:
    async with wire(live, token) as one:
        await greeted(one)
        async with wire(live, token) as sibling:
            await greeted(sibling)
        assert await sessions.route(sessions.collection(stored), [user])

    async def is_gone() -> bool:
        return not await sessions.route(sessions.collection(stored), [user])

    await until(is_gone)


async def test_a_lost_lease_sends_all_away_and_another_is_taken(
    stack: Stack, live: Settings, token: str, user: str, stored: Database
) -> None:
    held = mailboxes.collection(stored)
    async with wire(live, token) as socket:
        await greeted(socket)
        session = await sessions.collection(stored).find_one({"user": user})
        assert session is not None
        before = (await mailboxes.find_all(held))[session["mailbox"]]
        assert await mailboxes.take(held, before, "usurper")
        assert (await frame(socket, "bye"))["reason"] == MAILBOX_LOST
        assert await close_code(socket) == 1012

    async def serves_another() -> bool:
        return await _mailbox_of(stack, "gateway-1") not in (None, before.mailbox)

    await until(serves_another)
    async with wire(live, token) as again:
        await greeted(again)


async def _mailbox_of(stack: Stack, name: str) -> int | None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{stack.ports[f'{name}-admin']}/health/metrics")
    return answer.json()["mailbox"]


async def test_headers_are_bounded_before_any_upgrade(live: Settings) -> None:
    host, port = live.gateway_urls[0].removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * (limits.HEADER_BYTES + 1))
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
    writer.close()
