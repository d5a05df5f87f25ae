"""The event stream: the socket's protocol for clients that cannot have one, acknowledged by POST at any gateway."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from clarion.client import Publisher, Subscriber
from clarion.contracts.limits import CREDIT_ITEMS, ITEMS_PER_RECORD
from clarion.security.tokens import OPERATE, PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import sessions
from clarion.store.driver.database import Database
from clarion.store.notifications import State
from tests.conftest import until
from tests.disconnecting import disconnect, next_second
from tests.gateways import gateway, greeted, wire
from tests.observing import states
from tests.streams import listening

WINDOW = ITEMS_PER_RECORD  # of what was missed, until something is acknowledged


@pytest.fixture
def token(live: Settings, user: str) -> str:
    return mint(live, sub=user, scope=SUBSCRIBE)


async def publish(publisher: Publisher, user: str, count: int, **more: Any) -> list[str]:
    made: dict[str, Any] = {"recipient": user, "type": "t", "message": "m", "priority": "high"} | more
    return list(await asyncio.gather(*(publisher.publish(**made) for _ in range(count))))


async def delivered(stored: Database, ids: list[str]) -> None:
    async def all_are() -> bool:
        return await states(stored, ids) == [State.DELIVERED] * len(ids)

    await until(all_are)


@pytest.mark.parametrize("posted_to", [0, 1], ids=["its own gateway", "another gateway"])
async def test_an_ack_at_any_gateway_counts_and_gives_credit(
    posted_to: int, live: Settings, token: str, user: str, publisher: Publisher, stored: Database
) -> None:
    here, there = live.gateway_urls[0], live.gateway_urls[posted_to]
    ids = await publish(publisher, user, WINDOW + 20)
    async with listening(here, token) as stream:
        hello = await stream.frame("hello")
        assert (hello["resumed"], hello["window"]) == (False, CREDIT_ITEMS)
        assert stream.response.headers["content-type"] == "text/event-stream"
        await until_stored(stored, ids)
        first, tag = await stream.items(WINDOW)
        assert len(first) == WINDOW, "no more than there is credit for"
        more = asyncio.create_task(stream.items(20))
        done, _ = await asyncio.wait([more], timeout=0.5)
        assert not done
        assert (await stream.post(there, tag)).status_code == 202
        rest, tag = await more
        assert (await stream.post(there, tag)).status_code == 202
        assert sorted(first + rest) == sorted(ids)
        await delivered(stored, ids)


async def until_stored(stored: Database, ids: list[str]) -> None:
    async def all_are() -> bool:
        return None not in await states(stored, ids)

    await until(all_are)


async def test_it_resumes_at_another_gateway_where_its_client_was(
    live: Settings, token: str, user: str, publisher: Publisher, stored: Database
) -> None:
    one, other = live.gateway_urls
    async with listening(one, token) as stream:
        await stream.frame("hello")
        handled = await publish(publisher, user, 1, message="line\nbreaks\r\n\n")
        batch = await stream.frame("batch")
        assert batch["items"][0]["message"] == "line\nbreaks\r\n\n"
    # it was handled, and the acknowledgement never went out: `resume` says it
    came_meanwhile = await publish(publisher, user, 1)
    cursors = {"high": batch["items"][0]["ord"]}
    async with listening(other, token, {"cursors": cursors, "since": batch["since"]}) as stream:
        assert (await stream.frame("hello"))["resumed"] is True
        ids, tag = await stream.items(1)
        assert ids == came_meanwhile
        assert (await stream.post(one, tag)).status_code == 202
        await delivered(stored, handled + came_meanwhile)


async def test_it_is_a_device_like_the_others(
    live: Settings, token: str, user: str, publisher: Publisher, subscriber: Callable[[str], Subscriber]
) -> None:
    async with listening(live.gateway_urls[0], token) as stream, subscriber(user) as other:
        await stream.frame("hello")
        [id_] = await publish(publisher, user, 1, priority="urgent")
        async with asyncio.timeout(20):
            assert (await anext(other)).id == id_
        ids, _ = await stream.items(1)
        assert ids == [id_]
        await other.read([id_])
        while (sync := await stream.frame("sync"))["change"] != "read":
            pass
        assert (sync["ids"], sync["unread"]) == ([id_], 0)


async def test_a_stalled_stream_is_bounded_and_gets_all_in_the_end(
    live: Settings, token: str, user: str, publisher: Publisher, stored: Database
) -> None:
    ids = await publish(publisher, user, 150, message="x" * 4_000, data={"more": "y" * 10_000}, priority="urgent")
    await until_stored(stored, ids)
    host, port = live.gateway_urls[0].removeprefix("http://").split(":")
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        stalled.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(stalled, (host, int(port)))
        await loop.sock_sendall(
            stalled, f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        await until(lambda: sessions.route(sessions.collection(stored), [user]))
        # what comes for it while it reads nothing is not for its connection to keep
        ids += await publish(publisher, user, 20, message="z" * 4_000, priority="urgent")
        await until_stored(stored, ids)
        sent = b""
        while len(chunk := await _some(stalled)):
            sent += chunk
    assert b'"op":"batch"' in sent
    assert sent.count(b'"type":"t"') <= CREDIT_ITEMS
    assert len(sent) < 300_000
    async with listening(live.gateway_urls[0], token) as stream:
        await stream.frame("hello")
        found: set[str] = set()
        while len(found) < len(ids):
            some, tag = await stream.items(1)
            found |= set(some)
            assert (await stream.post(live.gateway_urls[0], tag)).status_code == 202
        assert found == set(ids)


async def _some(reader: socket.socket) -> bytes:
    """What there is to read; empty when nothing more comes."""
    try:
        async with asyncio.timeout(1):
            return await asyncio.get_running_loop().sock_recv(reader, 65_536)
    except TimeoutError:
        return b""


@pytest.mark.parametrize("posted_to", [0, 1], ids=["its own gateway", "another gateway"])
async def test_an_ack_of_what_was_never_sent_is_4400_on_the_stream(posted_to: int, live: Settings, token: str) -> None:
    async with listening(live.gateway_urls[0], token) as stream:
        await stream.frame("hello")
        assert (await stream.post(live.gateway_urls[posted_to], 99)).status_code == 202
        assert (await stream.frame("error"))["code"] == "protocol"
        assert await stream.close_code() == 4400


async def test_nobody_else_may_acknowledge(live: Settings, token: str, user: str, publisher: Publisher) -> None:
    here, there = live.gateway_urls
    foreign = mint(live, sub=f"{user}-other", scope=SUBSCRIBE)
    async with listening(here, token) as stream:
        await stream.frame("hello")
        assert (await stream.post(here, 99, token=foreign)).status_code == 404
        assert (await stream.post(there, 99, token=foreign)).status_code == 202, "sent on, and of no effect there"
        [id_] = await publish(publisher, user, 1)
        ids, tag = await stream.items(1)
        assert ids == [id_]
        assert (await stream.post(here, tag)).status_code == 202
        assert (await stream.frame("sync"))["change"] == "delivered"


async def test_an_ack_of_no_stream_or_of_nothing_is_refused(live: Settings, token: str) -> None:
    here = live.gateway_urls[0]
    async with listening(here, token) as stream:
        await stream.frame("hello")
        mailbox, epoch, id_ = stream.session.split(".")
        gone = f"{mailbox}.{epoch}.{id_[::-1].replace('-', '0')[:8]}{id_[8:]}"
        for session, tag, status in [
            (gone, 1, 404),
            (f"99999.{epoch}.{id_}", 1, 404),
            (id_, 1, 422),
            (stream.session, -1, 422),
            (stream.session, 0, 202),  # nothing is handled yet: it is there, and says so
        ]:
            assert (await stream.post(here, tag, session=session)).status_code == status
        assert (await stream.post(here, 0, token="nonsense")).status_code == 401
        assert (await stream.post(here, 0, token=mint(live, sub="x", scope=PUBLISH))).status_code == 403
        answers = await asyncio.gather(*(stream.post(here, 0) for _ in range(2 * live.frames_per_s)))
        assert {answer.status_code for answer in answers} == {202, 429}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code == 429)


async def test_tokens_origins_and_resume_are_looked_at_as_on_a_socket(live: Settings, token: str, user: str) -> None:
    here = live.gateway_urls[0]
    foreign = mint(live, sub=user, scope=SUBSCRIBE)[:-4] + "AAAA"
    for bad, code in [("nonsense", 4401), (foreign, 4401), (mint(live, sub=user, scope=PUBLISH), 4403)]:
        async with listening(here, bad) as stream:
            assert await stream.close_code() == code
    async with listening(here, token, query=f"token={token}") as stream:
        assert await stream.close_code() == 4401
    async with listening(here, token, {"cursors": {"loud": [0, 1]}}) as stream:
        assert await stream.close_code() == 4400
    async with listening(here, token, origin="https://evil.example") as stream:
        assert stream.response.status_code == 403
        assert "access-control-allow-origin" not in stream.response.headers
        assert json.loads(await stream.response.aread())["status"] == 403
    async with listening(here, token, origin=live.origin_list[0]) as stream:
        assert stream.response.headers["access-control-allow-origin"] == live.origin_list[0]
        await stream.frame("hello")


async def test_it_ends_with_its_token_or_when_its_user_is_cut_off(live: Settings, user: str) -> None:
    here, there = live.gateway_urls
    async with listening(here, mint(live, sub=user, scope=SUBSCRIBE, ttl_s=2)) as expiring:
        await expiring.frame("hello")
        assert await expiring.close_code() == 4401
    async with listening(here, mint(live, sub=user, scope=SUBSCRIBE)) as stream:
        await stream.frame("hello")
        assert (await disconnect(there, user, mint(live, sub="ops", scope=OPERATE))).status_code == 202
        assert await stream.close_code() == 4401
    await next_second()


@pytest.mark.slow
async def test_limits_and_drains_treat_streams_and_sockets_alike(settings: Settings, tmp_path: Path) -> None:
    token = mint(settings, sub="ann", scope=SUBSCRIBE)
    async with gateway(settings, tmp_path, connections_per_user=2, connections_per_ip=3, drain_s=1.0) as own:
        async with wire(own.url, token) as beside, listening(own.url, token) as stream:
            await greeted(beside)
            await stream.frame("hello")
            async with listening(own.url, token) as one_more:
                assert await one_more.close_code() == 4429
                async with listening(own.url, mint(settings, sub="bob", scope=SUBSCRIBE)) as neighbour:
                    await neighbour.frame("hello")
                    async with listening(own.url, token) as crowded:
                        assert crowded.response.status_code == 429
                        assert int(crowded.response.headers["Retry-After"]) > 0
            own.process.send_signal(signal.SIGTERM)
            bye = await stream.frame("bye")
            assert 0 <= bye["retry_ms"] <= 2_000
            assert await stream.close_code() == 1012

        async def is_gone() -> bool:
            return not own.process.is_running()

        await until(is_gone, within_s=10)
        assert "a step of the shutdown failed" not in own.log.read_text()


async def test_nothing_may_follow_a_stream_on_its_socket(live: Settings, token: str) -> None:
    stream = f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    other = b"GET /asyncapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    async with asyncio.timeout(20):
        async with _connected(live) as (reader, writer):
            writer.write(other)
            await reader.readuntil(b'"asyncapi"')
            writer.write(stream)
            await reader.readuntil(b'"op":"hello"')
            writer.write(other)
            assert b"asyncapi" not in await _to_the_end(reader)
        async with _connected(live) as (reader, writer):
            writer.write(stream + other)
            said = await _to_the_end(reader)
            assert said == b"" or said.startswith(b"HTTP/1.1 400 ")


@asynccontextmanager
async def _connected(live: Settings) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = live.gateway_urls[0].removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
    yield reader, writer
    writer.close()


async def _to_the_end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
