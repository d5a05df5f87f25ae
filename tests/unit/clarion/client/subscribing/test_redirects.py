"""Redirects of the upgrade, and proxies that know nobody: where a token goes, and that the client comes back."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from clarion.client import Subscriber
from clarion.client.subscribing.redirects import followed
from tests.unit.clarion.client.subscribing.fake_gateway import AT_ONCE, Client, delivering, take


@pytest.mark.parametrize(
    ("url", "location", "to"),
    [
        ("ws://host/v1/ws", "https://host/v1/ws", "wss://host/v1/ws"),
        ("ws://host:8081/v1/ws", "https://HOST/v1/ws#x", "wss://HOST/v1/ws"),
        ("ws://host:8081/v1/ws", "/v1/ws/", "ws://host:8081/v1/ws/"),
        ("wss://host/v1/ws", "//host/elsewhere?x=1", "wss://host/elsewhere?x=1"),
        ("wss://host/v1/ws", "http://host/v1/ws", None),
        ("wss://host/v1/ws", "https://other/v1/ws", None),
        ("ws://host/v1/ws", "https://host.other/v1/ws", None),
        ("ws://host/v1/ws", "https://user@host/v1/ws", None),
        ("ws://host:8081/v1/ws", "http://host:9000/v1/ws", None),
        ("ws://host/v1/ws", "ftp://host/v1/ws", None),
        ("ws://host/v1/ws", "https://host:99999/", None),
        ("ws://host/v1/ws", "https://[", None),
    ],
)
def test_a_token_goes_to_no_other_host_and_never_out_of_tls(url: str, location: str, to: str | None) -> None:
    assert followed(url, location) == to


async def delivers_after(answers: int, refuse: Callable[[ServerConnection], Response]) -> None:
    """A client gets in once it has been refused so often."""
    asked: list[str] = []

    async def answer(connection: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        return refuse(connection) if len(asked) <= answers else None

    async def play(connection: ServerConnection) -> None:
        client = Client(connection)
        assert client.token == "Bearer t"
        await delivering(client)

    options: Any = {"subprotocols": ["clarion.v1"], "ping_interval": None, "process_request": answer}
    async with serve(play, "127.0.0.1", 0, **options) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with Subscriber(url, token="t", backoff=AT_ONCE) as s:
            assert await take(s, 1) == ["a"]


@pytest.mark.parametrize(
    "location",
    ["https://127.0.0.1:1/v1/ws", "https://elsewhere.invalid/v1/ws", "https://[", "mailto:ops", "/v1/ws", "/moved"],
)
async def test_whatever_a_redirect_says_the_client_comes_back(location: str) -> None:
    """To TLS where nobody is, to another origin, to nonsense, in a circle, to another path."""

    def redirect(connection: ServerConnection) -> Response:
        response = connection.respond(HTTPStatus.PERMANENT_REDIRECT, "there")
        response.headers["Location"] = location
        return response

    await delivers_after(5, redirect)


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_client_comes_back_to_a_proxy_without_backends(status: int) -> None:
    await delivers_after(2, lambda connection: connection.respond(HTTPStatus(status), "<html>no backend</html>"))
