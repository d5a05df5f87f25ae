"""Why a connection ended, and what a client does about it: the table that the browser's SDK keeps to as well."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from clarion.client import Disconnected, Forbidden, SubscribeError, Subscriber, TokenRefused
from clarion.client.subscribing.connection import Ended, _refused
from clarion.client.subscribing.endpoints import Endpoints
from clarion.client.subscribing.reconnect import Reconnect
from clarion.client.subscribing.redirects import followed
from clarion.resilience.backoff import Backoff
from tests.conftest import repository
from tests.unit.clarion.client.test_subscriber import AT_ONCE, Client, take

TABLE: list[dict[str, Any]] = msgspec.json.decode((repository() / "tests" / "conformance" / "causes.json").read_bytes())
ENDS = [
    *((f"close {code}", Ended(code, "by the table"), row) for row in TABLE for code in row.get("closes", ())),
    *(
        (f"HTTP {status}", _refused(InvalidStatus(Response(status, "", Headers()))), row)
        for row in TABLE
        for status in row.get("statuses", ())
    ),
]
SAYS = {"refused": Disconnected, "forbidden": Forbidden, "token": TokenRefused}


def judged(ended: Ended, *, again: bool = False) -> type[SubscribeError] | None:
    reconnect = Reconnect(Endpoints(["ws://one"]), Backoff(0.0, 0.0))
    try:
        for _ in range(1 + again):
            reconnect.after(ended, 0.0, may_refresh=True)
    except SubscribeError as error:
        return type(error)
    return None


@pytest.mark.parametrize(("code", "cure"), [(4401, "issuer"), (4403, "the scope subscribe"), (4400, "the url is")])
def test_what_is_final_says_what_to_do(code: int, cure: str) -> None:
    reconnect = Reconnect(Endpoints(["ws://one"]), Backoff(0.0, 0.0))
    ended = Ended(code, "no")
    if code == 4401:
        reconnect.after(ended, 0.0, may_refresh=True)
    with pytest.raises(SubscribeError, match=cure):
        reconnect.after(ended, 0.0, may_refresh=True)


@pytest.mark.parametrize(("name", "ended", "row"), ENDS, ids=[name for name, _, _ in ENDS])
def test_each_cause_is_come_back_from_or_final(name: str, ended: Ended, row: dict[str, Any]) -> None:
    assert judged(ended) == SAYS.get(row.get("says", "")), name
    assert (judged(ended, again=True) is TokenRefused) == (row["then"] == "refresh"), name


@pytest.mark.parametrize("between", [Ended(1006, "cut"), Ended(1012, "restart"), Ended(4429, "HTTP 404")])
def test_two_refusals_of_different_tokens_are_no_verdict(between: Ended) -> None:
    """The first had expired; the second outlived a cut connection, or was outlived by an outage."""
    reconnect, refused = Reconnect(Endpoints(["ws://one"]), Backoff(0.0, 0.0)), Ended(4401, "expired")
    for _ in range(3):
        reconnect.after(refused, 0.0, may_refresh=True)
        reconnect.greeted(1.0)
        reconnect.after(between, 2.0, may_refresh=True)
    reconnect.after(refused, 3.0, may_refresh=True)
    with pytest.raises(TokenRefused, match="just fetched"):
        reconnect.after(refused, 4.0, may_refresh=True)


def test_a_refusal_of_what_was_replaced_meanwhile_is_no_verdict() -> None:
    reconnect, refused = Reconnect(Endpoints(["ws://one"]), Backoff(0.0, 0.0)), Ended(4401, "expired")
    reconnect.after(refused, 0.0, may_refresh=True)
    reconnect.after(refused, 1.0, may_refresh=True, is_latest=False)
    with pytest.raises(TokenRefused):
        reconnect.after(refused, 2.0, may_refresh=True)


# ---- redirects


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
def test_a_token_goes_to_the_same_host_only_and_never_from_tls_to_none(url: str, location: str, to: str | None) -> None:
    assert followed(url, location) == to


async def delivering(client: Client) -> None:
    assert client.token == "Bearer t"
    await client.start()
    await client.batch(1, "a")
    await client.stay()


async def delivers_after(answers: int, refuse: Callable[[ServerConnection], Response]) -> None:
    """A client gets in once it has been refused so often."""
    asked: list[str] = []

    async def answer(connection: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        return refuse(connection) if len(asked) <= answers else None

    async def play(connection: ServerConnection) -> None:
        await delivering(Client(connection))

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
async def test_a_proxy_that_knows_nobody_during_a_deploy_is_come_back_to(status: int) -> None:
    await delivers_after(2, lambda connection: connection.respond(HTTPStatus(status), "<html>no backend</html>"))
