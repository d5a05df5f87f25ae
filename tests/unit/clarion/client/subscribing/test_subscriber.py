"""The subscriber against a gateway of its own, in this process, over real sockets."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clarion.client import JsonFile, NotConnected, State, Subscriber
from clarion.client.subscribing import subscriber as subscriber_module
from clarion.client.subscribing.cursor_store import InMemory, Position
from clarion.contracts.lanes import Lane
from tests.unit.clarion.client.subscribing.fake_gateway import AT_ONCE, Client, gateway, take, when


async def test_items_come_in_order_and_are_acknowledged_when_handled() -> None:
    acknowledged = asyncio.Event()

    async def script(client: Client) -> None:
        assert await client.start() == {"op": "resume", "cursors": {}, "since": None}
        assert client.token == "Bearer t"
        await client.batch(1, "a", "b")
        await client.batch(2, "c", first=2)
        assert await client.receive() == {"op": "ack", "tag": 1}
        acknowledged.set()
        assert await client.receive() == {"op": "ack", "tag": 2}

    async with gateway(script) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        assert await take(s, 2) == ["a", "b"]
        assert not acknowledged.is_set()
        assert await take(s, 1) == ["c"]
        await asyncio.wait_for(acknowledged.wait(), 5)
        await s.handled()
        assert s.stats.received == 3


async def test_after_a_cut_it_resumes_and_drops_repeats() -> None:
    async def first(client: Client) -> None:
        await client.start()
        await client.batch(1, "a", "b", since="s1")
        assert (await client.receive())["tag"] == 1
        await client.batch(2, "c", "d", first=2, since="s2")
        client.connection.transport.abort()

    async def second(client: Client) -> None:
        resume = await client.start(resumed=True)
        assert resume == {"op": "resume", "cursors": {"normal": [0, 1]}, "since": "s1"}
        await client.batch(1, "b", "c", "d", first=1, since="s3")
        assert await client.receive() == {"op": "ack", "tag": 1}

    cut, back = asyncio.Event(), asyncio.Event()

    def on_state(state: State) -> None:
        if state is State.WAITING:
            cut.set()
        elif state is State.LIVE and cut.is_set():
            back.set()

    async with (
        gateway(first, second) as url,
        Subscriber(url, token="t", backoff=AT_ONCE, on_state=on_state) as s,
    ):
        assert await take(s, 2) == ["a", "b"]
        await s.handled()
        # not before it is back: what the first connection brought last may still be here to take
        await asyncio.wait_for(back.wait(), 5)
        assert await take(s, 2) == ["c", "d"]
        await s.handled()
        assert (s.stats.received, s.stats.repeats, s.stats.reconnects) == (4, 1, 1)


async def test_pings_are_answered_and_their_since_is_kept_once_reached(tmp_path: Path) -> None:
    storage = JsonFile(tmp_path / "bob.json")

    async def first(client: Client) -> None:
        assert (await client.start())["cursors"] == {}
        await client.batch(1, "a", since="s1")
        await client.send("ping", since="s2")
        found = [await client.receive(), await client.receive()]
        assert {frame["op"] for frame in found} == {"pong", "ack"}
        await client.stay()

    async def second(client: Client) -> None:
        assert await client.start() == {"op": "resume", "cursors": {"normal": [0, 0]}, "since": "s2"}
        await client.stay()

    live = asyncio.Event()
    async with gateway(first, second) as url:
        async with Subscriber(url, token="t", storage=storage) as s:
            assert await take(s, 1) == ["a"]
            waiting = asyncio.create_task(take(s, 1))
            async with asyncio.timeout(5):
                while s._progress.position.since != "s2":
                    await asyncio.sleep(0)
            waiting.cancel()
        async with Subscriber(url, token="t", storage=storage, on_state=when(State.LIVE, live)):
            await asyncio.wait_for(live.wait(), 5)
    assert await storage.load() == Position({Lane.NORMAL: (0, 0)}, "s2")


async def test_a_position_is_stored_while_the_next_one_is_awaited() -> None:
    """Or a device that dies in a quiet time is handed once more what it has handled."""

    async def script(client: Client) -> None:
        await client.start()
        await client.batch(1, "a")
        await client.batch(2, "b", first=1)
        await client.stay()

    storage = InMemory()
    async with gateway(script) as url, Subscriber(url, token="t", storage=storage) as s, asyncio.timeout(5):
        assert await take(s, 2) == ["a", "b"]  # the first write comes when `b` is asked for, and `b` within its second
        waiting = asyncio.create_task(take(s, 1))
        while (await storage.load()).cursors != {Lane.NORMAL: (0, 1)}:
            await asyncio.sleep(0.01)
        waiting.cancel()


async def test_a_cancelled_wait_takes_no_item() -> None:
    go = asyncio.Event()

    async def script(client: Client) -> None:
        await client.start()
        await go.wait()
        await client.batch(1, "a")
        await client.stay()

    async with gateway(script) as url, Subscriber(url, token="t") as s:
        for _ in range(3):
            waiting = asyncio.create_task(anext(s))  # pyright: ignore[reportArgumentType]
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        go.set()
        assert await take(s, 1) == ["a"]
        assert s._progress.position == Position()


async def test_leaving_saves_and_closes_even_when_it_is_cancelled() -> None:
    asked, over = asyncio.Event(), asyncio.Event()

    async def script(client: Client) -> None:
        await client.start(since="s0")
        await client.batch(1, "a")
        assert await client.receive() == {"op": "ack", "tag": 1}
        await client.send("resync")
        await asked.wait()
        client.connection.transport.pause_reading()  # it never sees the close, nor answers it
        await over.wait()
        client.connection.transport.abort()

    async def unread() -> int:
        asked.set()
        await over.wait()
        return 7

    storage = InMemory()
    async with gateway(script, unread=unread) as url, asyncio.timeout(5):
        s = await Subscriber(url, token="t", storage=storage).__aenter__()
        assert await take(s, 1) == ["a"]
        await s.handled()
        await asked.wait()
        try:
            leaving = asyncio.create_task(s.__aexit__(None, None, None))
            await asyncio.sleep(0.05)
            assert not leaving.done()
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            assert await storage.load() == Position({Lane.NORMAL: (0, 0)}, "s0")
            assert s._unread.asking is not None
            assert s._unread.asking.cancelled()
            assert s._inbox._http._client is not None
            assert s._inbox._http._client.is_closed
        finally:
            over.set()
        assert s._running is not None
        await asyncio.wait([s._running])


async def test_a_command_without_a_connection_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_module, "COMMAND_S", 0.05)
    async with Subscriber("http://127.0.0.1:1", token="t") as s:
        with pytest.raises(NotConnected):
            await s.read(["01a20b84-19b1-735f-abad-44c02f4b4303"])


@pytest.mark.parametrize(
    "error", [OSError("disk full"), TimeoutError("of another"), msgspec.DecodeError("of a file"), LookupError("no row")]
)
@pytest.mark.parametrize("told", ["hello", "sync"])
async def test_what_a_callback_raises_comes_out_whatever_it_is(error: Exception, told: str) -> None:
    async def script(client: Client) -> None:
        await client.start()
        await client.send("sync", change="read", ids=[], unread=6)
        await client.stay()

    def on_sync(_: Any) -> None:
        if told == "sync":
            raise error

    def on_state(state: State) -> None:
        if told == "hello" and state is State.LIVE:
            raise error

    async with (
        gateway(script) as url,
        Subscriber(url, token="t", on_sync=on_sync, on_state=on_state, backoff=AT_ONCE) as s,
    ):
        with pytest.raises(type(error)) as caught:
            await take(s, 1)
        assert caught.value is error
        assert error.__cause__ is None


async def test_a_connection_that_brought_nothing_is_resumed_too() -> None:
    """Else what another device acknowledges meanwhile would never come here."""

    resumed: dict[str, Any] = {"op": "resume", "cursors": {}, "since": "2026-11-24T01:02:03.004Z"}

    async def greeted(client: Client) -> None:
        await client.start(since="2026-11-24T01:02:03.004Z")
        await client.close(1012)

    async def again(client: Client) -> None:
        assert await client.start(since="2026-11-24T02:00:00.000Z") == resumed
        await client.close(1012)

    async def once_more(client: Client) -> None:
        assert await client.start() == resumed
        await client.batch(1, "a")
        await client.stay()

    async with gateway(greeted, again, once_more) as url, Subscriber(url, token="t", backoff=AT_ONCE) as subscriber:
        assert await take(subscriber, 1) == ["a"]
