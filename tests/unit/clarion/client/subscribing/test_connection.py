"""One connection of the SDK: its address, and what ends it."""

import pytest

from clarion.client import Subscriber
from clarion.client.subscribing import connection as session_module
from clarion.client.subscribing.connection import websocket_url
from tests.unit.clarion.client.subscribing.fake_gateway import AT_ONCE, Client, delivering, gateway, take


async def test_silence_ends_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SILENCE_S", 0.05)
    monkeypatch.setattr(session_module, "CLOSE_S", 0.05)

    async def silent(client: Client) -> None:
        await client.start(ping_s=0.05)
        await client.stay()

    async with gateway(silent, delivering) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]
        assert s.stats.reconnects == 1


async def test_an_item_that_cannot_be_read_ends_its_connection() -> None:
    async def unreadable(client: Client) -> None:
        await client.start()
        await client.send("batch", tag=1, items=[{"id": 7}], since=None)
        await client.stay()
        assert client.connection.close_code == 4400

    async with gateway(unreadable, delivering) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://h:1", "ws://h:1/v1/ws"),
        ("https://h/", "wss://h/v1/ws"),
        ("ws://h/v1/ws", "ws://h/v1/ws"),
        ("wss://h/path", "wss://h/path/v1/ws"),
    ],
)
def test_an_address_becomes_that_of_the_socket(given: str, expected: str) -> None:
    assert websocket_url(given) == expected


@pytest.mark.parametrize("given", ["", "h:1", "ftp://h", "h"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="is not a gateway's address"):
        websocket_url(given)
