"""Marks of the Python SDK over connections that end, servers that are busy, and with too many of them."""

import asyncio

import pytest

from clarion.client import Subscriber, Unconfirmed
from clarion.client.subscribing import outbox as outbox_module
from clarion.contracts import limits
from tests.unit.clarion.client.subscribing.fake_gateway import AT_ONCE, Client, gateway, recorded, take

IDS = [f"01a20b84-19b1-735f-abad-{number:012x}" for number in range(1_001)]


async def test_a_mark_is_sent_to_further_gateways_until_confirmed() -> None:
    live = asyncio.Event()

    async def closing(client: Client) -> None:
        await client.start()
        await client.send("bye", reason="restart", retry_ms=0)
        live.set()
        await client.receive()  # which a gateway that has said bye does not look at
        await client.close(1012)

    async def cutting(client: Client) -> None:
        await client.start()
        assert await client.receive() == {"op": "read", "ids": IDS[:1]}
        client.connection.transport.abort()

    async def confirming(client: Client) -> None:
        await client.start()
        assert await client.receive() == {"op": "read", "ids": IDS[:1]}
        await client.send("sync", change="read", ids=IDS[:1], unread=0)
        await client.close(1012)

    async def delivering(client: Client) -> None:
        await client.start()
        await client.batch(1, "a")
        assert await client.receive() == {"op": "ack", "tag": 1}, "and nothing before that"

    scripts = (closing, cutting, confirming, delivering)
    async with gateway(*scripts) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        await asyncio.wait_for(live.wait(), 5)
        await s.read(IDS[:1])
        assert await take(s, 1) == ["a"]
        await asyncio.sleep(2 * outbox_module.PACE_S)
        await s.handled()


async def test_marks_that_a_busy_gateway_refused_are_sent_with_backoff(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    told = asyncio.Event()
    monkeypatch.setattr(outbox_module, "BUSY", recorded(asked))

    async def script(client: Client) -> None:
        await client.start()
        for _ in range(3):
            assert await client.receive() == {"op": "read", "ids": IDS[:2]}
            await client.send("error", code="busy", detail="read was not taken, try again later")
        assert await client.receive() == {"op": "read", "ids": IDS[:2]}
        await client.send("sync", change="read", ids=IDS[:2], unread=0)
        assert await client.receive() == {"op": "archive", "ids": IDS[:1]}
        await client.send("error", code="busy", detail="archived was not taken, try again later")
        assert await client.receive() == {"op": "archive", "ids": IDS[:1]}
        await client.batch(1, "a")

    async with gateway(script) as url, Subscriber(url, token="t", on_sync=lambda _: told.set()) as s:
        await s.read(IDS[:2])
        await asyncio.wait_for(told.wait(), 5)
        await s.archive(IDS[:1])
        assert await take(s, 1) == ["a"]
    assert asked == [0, 1, 2, 0]


async def test_so_many_marks_wait_and_whoever_has_more_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "ROOM_S", 0.1)
    refused, told = asyncio.Event(), asyncio.Event()

    async def script(client: Client) -> None:
        await client.start()
        await refused.wait()
        sent = [id_ for _ in range(4) for id_ in (await client.receive())["ids"]]
        assert sent == IDS[:1_000] * 2, "again, if only their sync was missed"
        await client.send("sync", change="read", ids=IDS[:1], unread=0)
        assert await client.receive() == {"op": "read", "ids": IDS[1_000:]}
        await client.batch(1, "a")

    async with gateway(script) as url, Subscriber(url, token="t", on_sync=lambda _: told.set()) as s:
        await s.read(IDS[:1_000])
        with pytest.raises(Unconfirmed, match=r"1,000 marks .* try again"):
            await s.read(IDS[1_000:])
        refused.set()
        await asyncio.wait_for(told.wait(), 5)
        await s.read(IDS[1_000:])
        assert await take(s, 1) == ["a"]


async def test_more_marks_than_are_kept_go_as_they_are_confirmed() -> None:
    async def script(client: Client) -> None:
        await client.start()
        for start in (0, limits.IDS_PER_FRAME, 2 * limits.IDS_PER_FRAME):
            frame = await client.receive()
            assert frame["ids"] == IDS[start : start + limits.IDS_PER_FRAME]
            await client.send("sync", change="read", ids=frame["ids"], unread=0)
        await client.batch(1, "a")

    async with gateway(script) as url, Subscriber(url, token="t") as s, asyncio.timeout(5):
        await s.read(IDS)
        assert await take(s, 1) == ["a"]


async def test_marks_are_paced_below_the_servers_limit_of_frames() -> None:
    received: list[dict[str, object]] = []

    async def script(client: Client) -> None:
        await client.start()
        while sum(len(frame["ids"]) for frame in received) < 300:  # type: ignore[arg-type, misc]
            received.append(await client.receive())
        await client.batch(1, "a")

    async with gateway(script) as url, Subscriber(url, token="t") as s:
        for id_ in IDS[:300]:
            await s.read([id_])
            await asyncio.sleep(0.001)
        assert await take(s, 1) == ["a"]
    assert len(received) < 300 / 5
