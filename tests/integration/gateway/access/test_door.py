"""The gateway's door: limits of an address, the node and the rate, slow handshakes, and where a token may stand."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from clarion.contracts.limits import HEADER_BYTES
from clarion.security import guarded_http
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.conftest import until
from tests.gateways import Own, close_code, gateway, greeted, wire


def token_of(own: Own, user: str) -> str:
    return mint(own.settings, sub=user, scope=SUBSCRIBE)


async def refused(own: Own, token: str, **options: Any) -> Response:
    with pytest.raises(InvalidStatus) as status:
        async with wire(own.url, token, **options):
            pass
    return status.value.response


async def test_an_address_has_a_limit_also_behind_a_trusted_proxy(settings: Settings, tmp_path: Path) -> None:
    async with (
        gateway(settings, tmp_path, connections_per_ip=3, trusted_proxies="127.0.0.0/8") as own,
        AsyncExitStack() as open_ones,
    ):
        ann, elsewhere = {"X-Forwarded-For": "1.1.1.1, 203.0.113.9"}, {"Forwarded": "for=203.0.113.10"}

        async def enter(number: int, headers: dict[str, str]) -> None:
            joined = wire(own.url, token_of(own, f"user-{number}"), additional_headers=headers)
            await greeted(await open_ones.enter_async_context(joined))

        for number in range(3):
            await enter(number, ann)
        response = await refused(own, token_of(own, "another"), additional_headers=ann)
        assert response.status_code == 429
        assert int(response.headers["Retry-After"]) > 0
        await enter(3, elsewhere)


async def test_only_a_trusted_proxys_header_counts(settings: Settings, tmp_path: Path) -> None:
    async with gateway(settings, tmp_path, connections_per_ip=1) as own:
        async with wire(own.url, token_of(own, "ann")) as socket:
            await greeted(socket)
            forged = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
            assert (await refused(own, token_of(own, "ann"), additional_headers=forged)).status_code == 429

        async def has_left() -> bool:
            return (await own.figures())["connections"] == 0

        await until(has_left)
        async with wire(own.url, token_of(own, "ann")) as socket:
            await greeted(socket)


async def test_a_full_node_refuses_with_a_time_to_come_back(settings: Settings, tmp_path: Path) -> None:
    async with gateway(settings, tmp_path, connections=1) as own, wire(own.url, token_of(own, "ann")) as socket:
        await greeted(socket)
        response = await refused(own, token_of(own, "ann"))
        assert (response.status_code, b"full" in response.body) == (503, True)
        assert int(response.headers["Retry-After"]) > 0


async def test_a_storm_is_let_in_at_the_rate_and_told_when_to_return(settings: Settings, tmp_path: Path) -> None:
    async with gateway(settings, tmp_path, upgrades_per_s=10, connections_per_ip=0) as own:
        began = time.monotonic()
        token = token_of(own, "ann")
        outcomes = await asyncio.gather(*(_storming(own, token) for _ in range(60)))
        took = time.monotonic() - began
        upgraded = [outcome for outcome in outcomes if outcome is None]
        assert 1 <= len(upgraded) <= 1 + 10 * took
        assert {response.status_code for response in outcomes if response} == {503}
        waits = [int(response.headers["Retry-After"]) for response in outcomes if response]
        assert all(1 <= wait <= 6 for wait in waits)
        assert len(set(waits)) > 2


async def _storming(own: Own, token: str) -> Response | None:
    try:
        async with wire(own.url, token, open_timeout=30):
            return None
    except InvalidStatus as error:
        return error.response


@pytest.mark.slow
async def test_one_address_that_shows_no_token_starves_nobody(settings: Settings, tmp_path: Path) -> None:
    """Upgrades without a token as fast as one address can, and people who come from another one meanwhile.

    Nobody of the flood waits for the end of a connection: that would leave it a few upgrades a second.
    """
    upgrade = (
        b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    heard: list[bytes] = []

    async def flood(own: Own) -> None:
        while True:
            async with raw(own, "127.0.0.1") as (reader, writer):
                writer.write(upgrade)
                heard.append(await reader.readexactly(12))

    async with gateway(settings, tmp_path, upgrades_per_s=100) as own, AsyncExitStack() as stay:
        flooding = [asyncio.create_task(flood(own)) for _ in range(60)]
        await asyncio.sleep(2)
        for number in range(28):
            joined = wire(own.url, token_of(own, f"good-{number}"), local_addr=("127.0.0.2", 0), open_timeout=20)
            await greeted(await stay.enter_async_context(joined))
        assert not [task for task in flooding if task.done()]
        for task in flooding:
            task.cancel()
        await asyncio.gather(*flooding, return_exceptions=True)
    assert len(heard) > 500
    assert heard.count(b"HTTP/1.1 429") > len(heard) / 2
    assert b"HTTP/1.1 503" not in heard


@pytest.mark.slow
async def test_slow_handshakes_are_bounded_and_hold_up_nobody(settings: Settings, tmp_path: Path) -> None:
    async with gateway(settings, tmp_path, connections_per_ip=20) as own, AsyncExitStack() as slow:
        began = time.monotonic()
        slows = [await slow.enter_async_context(raw(own, "127.0.0.2")) for _ in range(20)]
        for _, writer in slows:
            writer.write(b"GET /v1/ws HTTP/1.1\r\nHost: x\r\n")
        async with raw(own, "127.0.0.2") as (reader, _):
            assert (await reader.read()).startswith(b"HTTP/1.1 429 ")
        async with wire(own.url, token_of(own, "ann")) as honest:
            await greeted(honest)
        async with asyncio.timeout(2 * guarded_http.HEADERS_WITHIN_S):
            assert [await reader.read() for reader, _ in slows] == [b""] * 20
        assert time.monotonic() - began >= guarded_http.HEADERS_WITHIN_S
        async with wire(own.url, token_of(own, "ann"), local_addr=("127.0.0.2", 0)) as again:
            await greeted(again)


@asynccontextmanager
async def raw(own: Own, source: str) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", own.settings.port, local_addr=(source, 0))
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.mark.slow
async def test_no_log_has_a_token_wherever_it_was_shown(settings: Settings, tmp_path: Path) -> None:
    """At `debug`, with tokens in every place a client may put one, right or wrong."""
    async with gateway(settings, tmp_path, log_level="debug", connections_per_ip=0) as own:
        made: list[str] = []

        def token(scope: str = SUBSCRIBE, ttl_s: float = 60) -> str:
            made.append(mint(own.settings, sub=f"user-{len(made)}", scope=scope, ttl_s=ttl_s))
            return made[-1]

        address = own.url.replace("http", "ws", 1) + "/v1/ws"
        # by subprotocol and by header; expired; without the scope; with a signature that is not ours
        for shown in (token(), token(ttl_s=-60), token("publish"), token()[:-6] + "AAAAAA"):
            made.append(shown)
            async with wire(own.url, shown) as socket:
                assert json.loads(await asyncio.wait_for(socket.recv(), 10))["op"] in ("hello", "error")
        async with connect(address, additional_headers={"Authorization": f"Bearer {token()}"}) as socket:
            await greeted(socket)
            await socket.send(json.dumps({"op": "auth", "token": token(ttl_s=-60)}))
            assert await close_code(socket) == 4401
        # in the address: refused, even beside a good one, in words that a browser sees
        headers = {"Authorization": f"Bearer {token()}"}
        async with connect(f"{address}?access_token={token()}", additional_headers=headers) as socket:
            assert json.loads(await socket.recv())["detail"].startswith("the token is in the URL, which logs record")
            assert await close_code(socket) == 4401
        # where none belongs, and where nothing can be read
        frames: list[Callable[[], str]] = [
            lambda: json.dumps({"op": token()}),
            lambda: json.dumps({"op": "auth", "token": [token()]}),
            lambda: json.dumps({"op": "ack", "tag": token()}),
            lambda: json.dumps({"op": "read", "ids": [token()]}),
            lambda: f'{{"op":"auth","token":"{token()}',
        ]
        for spoil in frames:
            async with wire(own.url, token()) as socket:
                await greeted(socket)
                await socket.send(spoil())
                assert await close_code(socket) == 4400
        upgrade = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: short\r\n"
        for lines in (
            f"GET /v1/ws?token={token()} HTTP/1.1\r\nHost: x\r\nbroken {token()}\r\n\r\n",
            f"GET /v1/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\nX: {'x' * HEADER_BYTES}\r\n\r\n",
            f"GET /v1/ws HTTP/1.1\r\n{upgrade}Sec-WebSocket-Protocol: bearer.{token()} =\r\nCookie: {token()}\r\n\r\n",
            f"BREW /{token()} HTTP/1.1\r\nHost: {token()}\r\n\r\n",
        ):
            async with raw(own, "127.0.0.1") as (reader, writer):
                writer.write(lines.encode())
                assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 4")
        async with httpx2.AsyncClient(trust_env=False, base_url=own.url) as http:
            for path in (f"/v1/{token()}", f"/?token={token()}", f"/dev/token?jwt={token()}"):
                await http.get(path, headers={"Authorization": f"Bearer {token()}", "Cookie": f"session={token()}"})
            for path in ("/v1/inbox", f"/v1/inbox?cursor={token()}", f"/v1/users/{token()}/disconnect"):
                assert (await http.get(path, headers={"Authorization": f"Bearer {token('publish')}"})).is_client_error
            await http.post("/v1/inbox/read", json={"ids": [token()]}, headers={"Authorization": f"Bearer {token()}"})
            await http.post("/dev/token", json={"user": "", "token": token()})
    said = own.log.read_text()
    assert "the gateway serves clients" in said
    assert own.settings.jwt_secret not in said
    assert len(made) > 30
    # neither a token nor the part of it that makes it one
    assert [shown for shown in made if shown in said or shown.rpartition(".")[2] in said] == []
