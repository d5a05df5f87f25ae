"""After a connection has ended: whether the subscriber comes back, when, and to which gateway."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from clarion.client import Disconnected, Forbidden, State, Subscriber, TokenRefused
from clarion.client.subscribing import reconnect
from clarion.client.subscribing import subscriber as subscriber_module
from tests.unit.clarion.client.subscribing.fake_gateway import (
    AT_ONCE,
    Client,
    delivering,
    gateway,
    never,
    recorded,
    take,
)


def remembered_waits(monkeypatch: pytest.MonkeyPatch, for_s: float) -> list[float]:
    """How long subscribers want to wait from now on; each wait takes `for_s`."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def remembered(seconds: float) -> None:
        waits.append(seconds)
        await sleep(for_s)

    monkeypatch.setattr(subscriber_module.asyncio, "sleep", remembered)
    return waits


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 4408, 4429])
async def test_it_returns_on_a_code_that_allows_it(code: int) -> None:
    async def first(client: Client) -> None:
        await client.start()
        await client.send("bye", reason="x", retry_ms=0)
        await client.close(code)

    async with gateway(first, delivering) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]
        assert s.stats.reconnects == 1


async def test_a_bye_says_how_long_to_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = remembered_waits(monkeypatch, for_s=0)

    async def first(client: Client) -> None:
        await client.start()
        await client.send("bye", reason="restart", retry_ms=7_000)
        await client.close(1012)

    async with gateway(first, delivering) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]
    assert 7.0 in waits


async def test_a_crowd_that_was_cut_off_together_returns_spread_out(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep, waits = asyncio.sleep, remembered_waits(monkeypatch, for_s=3_600)
    crowd, hint_s = 100, 2.0

    async def cut(client: Client) -> None:
        await client.start()
        await client.send("bye", reason="restart", retry_ms=int(hint_s * 1000))
        await client.close(1012)

    async with gateway(*[cut] * crowd) as url, AsyncExitStack() as subscribers:
        for _ in range(crowd):
            await subscribers.enter_async_context(Subscriber(url, token="t"))
        async with asyncio.timeout(20):
            while len(waits) < crowd:
                await sleep(0.01)
    # after the hint, half a second at least, and up to as much again by chance
    assert all(hint_s + 0.5 <= wait <= hint_s + 1.0 for wait in waits)
    tenths = Counter(int((wait - hint_s - 0.5) * 20) for wait in waits)
    assert len(tenths) >= 9
    assert max(tenths.values()) <= crowd / 3


@pytest.mark.parametrize(
    ("code", "error"), [(4400, Disconnected), (4403, Forbidden), (1009, Disconnected), (4401, TokenRefused)]
)
async def test_it_never_returns_on_a_code_that_forbids_it(code: int, error: type[Exception]) -> None:
    async def script(client: Client) -> None:
        await client.start()
        await client.close(code)

    async with gateway(script) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        with pytest.raises(error):
            await take(s, 1)
        assert s.state is State.CLOSED


async def test_a_client_turned_away_goes_to_another_gateway_at_once() -> None:
    came: list[str] = []

    async def full(connection: ServerConnection, request: Request) -> Response:
        came.append(request.path)
        response = connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "full")
        response.headers["Retry-After"] = "30"
        return response

    async def passing(client: Client) -> None:
        await client.start()
        await client.batch(1, "a")
        await client.close(1012)  # so the full one is next

    async def again(client: Client) -> None:
        await client.start()
        await client.batch(1, "b")
        await client.stay()

    async with serve(never, "127.0.0.1", 0, process_request=full) as server, gateway(passing, again) as url:
        turning_away = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with Subscriber([turning_away, url], token="t", backoff=AT_ONCE) as s:
            assert len(await take(s, 2)) == 2
    assert len(came) == 1, "it is not asked again before its time"


async def test_another_gateway_takes_over_when_one_is_gone() -> None:
    async with gateway(delivering) as url, Subscriber(["http://127.0.0.1:1", url], token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]


async def unreadable(client: Client) -> None:
    await client.start()
    await client.connection.send('{"op":"batch"}')
    await client.stay()


async def restarting(client: Client) -> None:
    await client.start()
    await client.close(1012)


async def test_a_gateway_that_greets_and_leaves_is_tried_with_backoff() -> None:
    tried: list[int] = []
    scripts = [unreadable, unreadable, unreadable, restarting, unreadable, delivering]
    async with gateway(*scripts) as url, Subscriber(url, token="t", backoff=recorded(tried)) as s:
        await take(s, 1)
    assert tried == [0, 1, 2, 3, 4]


async def test_a_stable_connection_ends_backoff_unless_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "STABLE_S", 0.0)
    tried: list[int] = []
    scripts = [unreadable, unreadable, unreadable, restarting, unreadable, delivering]
    async with gateway(*scripts) as url, Subscriber(url, token="t", backoff=recorded(tried)) as s:
        await take(s, 1)
    assert tried == [0, 1, 2, 0, 0]
