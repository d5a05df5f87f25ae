"""The count of unread notifications in the SDK: the server's latest word, or asked for over HTTP."""

import asyncio
from typing import Any

from clarion.client import Subscriber
from clarion.contracts.api.frames import ServerSync
from tests.unit.clarion.client.subscribing.fake_gateway import Client, gateway


async def test_after_resync_the_count_is_asked_for() -> None:
    async def script(client: Client) -> None:
        await client.start(unread=None, degraded=True)
        await client.send("resync")
        await client.stay()

    async def unread() -> int:
        return 5

    async with gateway(script, unread=unread) as url, Subscriber(url, token="t") as s, asyncio.timeout(5):
        while s.unread_count is None:
            await asyncio.sleep(0.01)
        assert s.unread_count == 5


async def test_what_is_told_while_the_count_is_asked_for_counts() -> None:
    asked, answered, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def script(client: Client) -> None:
        await client.start(unread=7)
        await client.send("resync")
        await asked.wait()
        await client.send("sync", change="read", ids=[], unread=6)
        await client.stay()

    async def unread() -> int:
        asked.set()
        await told.wait()
        answered.set()
        return 7

    def on_sync(frame: Any) -> None:
        if isinstance(frame, ServerSync):
            told.set()

    async with gateway(script, unread=unread) as url, Subscriber(url, token="t", on_sync=on_sync) as s:
        async with asyncio.timeout(5):
            await answered.wait()
            while not s._unread.asking or not s._unread.asking.done():
                await asyncio.sleep(0.01)
        assert s.unread_count == 6


async def test_commands_and_the_servers_count() -> None:
    synced: list[Any] = []
    counted = asyncio.Event()
    ids = [f"01a20b84-19b1-735f-abad-{number:012x}" for number in range(501)]

    async def script(client: Client) -> None:
        await client.start(unread=7)
        frames = [await client.receive() for _ in range(4)]
        assert [(frame["op"], len(frame["ids"])) for frame in frames] == [
            ("read", 500), ("read", 1), ("unread", 1), ("archive", 1),
        ]  # fmt: skip
        await client.send("sync", change="read", ids=ids[:1], unread=6)
        await client.send("resync")
        await client.stay()

    def on_sync(frame: Any) -> None:
        synced.append(frame)
        if len(synced) == 2:
            counted.set()

    async with gateway(script) as url, Subscriber(url, token="t", on_sync=on_sync) as s:
        await s.read(ids)
        assert s.unread_count == 7
        await s.unread(ids[:1])
        await s.archive(ids[:1])
        await asyncio.wait_for(counted.wait(), 5)
        assert s.unread_count == 6
