"""A token that a gateway refuses: it is fetched anew once, and then the subscriber ends."""

from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from clarion.client import Forbidden, Subscriber, TokenRefused
from clarion.client.subscribing import reconnect
from tests.unit.clarion.client.subscribing.fake_gateway import AT_ONCE, Client, gateway, never, take


async def refused(client: Client) -> None:
    await client.receive()
    await client.close(4401)


async def welcome(client: Client) -> None:
    await client.start()
    assert client.token == "Bearer new"
    await client.batch(1, "a")
    await client.close(4401)


async def test_a_token_is_refreshed_once_for_each_stable_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "STABLE_S", 0.0)
    tokens = iter(["old", "new", "newer"])
    async with (
        gateway(refused, welcome, refused, refused) as url,
        Subscriber(url, get_token=lambda: next(tokens, "last"), backoff=AT_ONCE) as s,
    ):
        assert await take(s, 1) == ["a"]
        with pytest.raises(TokenRefused):
            await take(s, 1)


async def test_a_token_refused_right_after_a_greeting_is_final() -> None:
    tokens = iter(["old", "new", "newer"])
    async with (
        gateway(refused, welcome) as url,
        Subscriber(url, get_token=lambda: next(tokens), backoff=AT_ONCE) as s,
    ):
        assert await take(s, 1) == ["a"]
        with pytest.raises(TokenRefused):
            await take(s, 1)
    assert next(tokens) == "newer"


@pytest.mark.parametrize(("status", "error"), [(401, TokenRefused), (403, Forbidden)])
async def test_a_refusal_before_the_upgrade_means_the_same(status: int, error: type[Exception]) -> None:
    async def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(HTTPStatus(status), "no")

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Subscriber(f"ws://127.0.0.1:{port}", token="t", backoff=AT_ONCE) as s:
            with pytest.raises(error):
                await take(s, 1)


async def test_what_get_token_raises_comes_out() -> None:
    def broken() -> str:
        raise LookupError("no token today")

    async with Subscriber("http://127.0.0.1:1", get_token=broken) as s:
        with pytest.raises(LookupError, match="no token today"):
            await take(s, 1)
