"""The subscriber against a gateway of its own, in this process, over real sockets."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from clarion.client import Disconnected, Forbidden, JsonFile, NotConnected, State, Subscriber, TokenRefused
from clarion.client.subscribing import connection as session_module
from clarion.client.subscribing import reconnect
from clarion.client.subscribing import subscriber as subscriber_module
from clarion.client.subscribing.connection import websocket_url
from clarion.client.subscribing.cursor_store import InMemory, Position
from clarion.contracts.api.frames import ServerSync
from clarion.contracts.lanes import Lane
from clarion.resilience.backoff import Backoff

AT_ONCE = Backoff(base_s=0.0, cap_s=0.0)
Script = Callable[["Client"], Awaitable[None]]


class Client:
    """The gateway's side of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.token = connection.request.headers["Authorization"] if connection.request else ""

    async def send(self, op: str, **fields: Any) -> None:
        await self.connection.send(msgspec.json.encode({"op": op} | fields).decode())

    async def hello(self, **fields: Any) -> None:
        usual = {"session": "s", "ping_s": 25.0, "window": 64, "window_bytes": 1 << 18, "unread": 0}
        await self.send("hello", **usual | {"resumed": False, "degraded": False} | fields)

    async def batch(self, tag: int, *ids: str, since: str | None = None, first: int = 0) -> None:
        items: list[dict[str, Any]] = [
            {
                "id": id_, "type": "t", "message": id_, "sender": "svc", "data": {}, "expires_at": None,
                "created_at": "2026-11-24T01:02:03.004Z", "lane": "normal", "ord": [0, first + index],
            }
            for index, id_ in enumerate(ids)
        ]  # fmt: skip
        await self.send("batch", tag=tag, items=items, since=since)

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            text = await self.connection.recv()
        assert isinstance(text, str), "text frames only"
        return msgspec.json.decode(text)

    async def start(self, **hello: Any) -> dict[str, Any]:
        """The first frame, which is `resume`; answered by hello."""
        resume = await self.receive()
        assert resume["op"] == "resume"
        await self.hello(**hello)
        return resume

    async def close(self, code: int) -> None:
        await self.connection.close(code)

    async def stay(self) -> None:
        await self.connection.wait_closed()


@asynccontextmanager
async def gateway(*scripts: Script, unread: Callable[[], Awaitable[int]] | None = None) -> AsyncGenerator[str]:
    """Each connection plays the next script. What a script asserts comes out of the block.

    `unread` answers who asks for the count over HTTP.
    """
    waiting = iter(scripts)
    failures: list[BaseException] = []

    async def play(connection: ServerConnection) -> None:
        script = next(waiting, None)
        try:
            assert script is not None, "one connection too many"
            assert connection.subprotocol == "clarion.v1"
            await script(Client(connection))
        except BaseException as error:
            failures.append(error)
            raise

    async def answer(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/v1/ws" or unread is None:
            return None
        assert request.path == "/v1/inbox/count"
        return connection.respond(HTTPStatus.OK, f'{{"unread": {await unread()}}}')

    options: Any = {"subprotocols": ["clarion.v1"], "ping_interval": None, "process_request": answer}
    async with serve(play, "127.0.0.1", 0, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    if failures:
        raise failures[0]


def when(wanted: State, event: asyncio.Event) -> Callable[[State], None]:
    def note(state: State) -> None:
        if state is wanted:
            event.set()

    return note


async def take(subscriber: Subscriber, count: int) -> list[str]:
    async with asyncio.timeout(5):
        return [(await anext(subscriber)).id for _ in range(count)]


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


async def test_after_a_cut_it_resumes_where_it_was_handled_and_drops_repeats() -> None:
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


async def test_whoever_is_cancelled_while_it_leaves_has_saved_and_closed_all_the_same() -> None:
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


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 4408, 4429])
async def test_it_returns_on_a_code_that_allows_it(code: int) -> None:
    async def first(client: Client) -> None:
        await client.start()
        await client.send("bye", reason="x", retry_ms=0)
        await client.close(code)

    async def second(client: Client) -> None:
        await client.start()
        await client.batch(1, "a")
        await client.stay()

    async with gateway(first, second) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]
        assert s.stats.reconnects == 1


async def test_a_bye_says_how_long_to_stay_away(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def remembered(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(subscriber_module.asyncio, "sleep", remembered)

    async def first(client: Client) -> None:
        await client.start()
        await client.send("bye", reason="restart", retry_ms=7_000)
        await client.close(1012)

    async def second(client: Client) -> None:
        await client.start()
        await client.batch(1, "a")
        await client.stay()

    async with gateway(first, second) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]
    assert 7.0 in waits


async def test_a_crowd_that_was_cut_off_together_returns_spread_out(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def remembered(seconds: float) -> None:
        waits.append(seconds)
        await sleep(3_600)

    monkeypatch.setattr(subscriber_module.asyncio, "sleep", remembered)
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


async def test_whoever_is_turned_away_by_one_gateway_goes_to_another_at_once() -> None:
    came: list[str] = []

    async def full(connection: ServerConnection, request: Request) -> Response:
        came.append(request.path)
        response = connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "full")
        response.headers["Retry-After"] = "30"
        return response

    async def delivering(client: Client) -> None:
        await client.start()
        await client.batch(1, "a")
        await client.close(1012)  # so the full one is next

    async def again(client: Client) -> None:
        await client.start()
        await client.batch(1, "b")
        await client.stay()

    async with serve(never, "127.0.0.1", 0, process_request=full) as server, gateway(delivering, again) as url:
        turning_away = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with Subscriber([turning_away, url], token="t", backoff=AT_ONCE) as s:
            assert len(await take(s, 2)) == 2
    assert len(came) == 1, "it is not asked again before its time"


async def never(_: ServerConnection) -> None:
    raise AssertionError("nobody comes in")


async def refused(client: Client) -> None:
    await client.receive()
    await client.close(4401)


async def welcome(client: Client) -> None:
    await client.start()
    assert client.token == "Bearer new"
    await client.batch(1, "a")
    await client.close(4401)


async def test_a_refused_token_is_refreshed_once_until_a_connection_was_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "STABLE_S", 0.0)
    tokens = iter(["old", "new", "newer"])
    async with (
        gateway(refused, welcome, refused, refused) as url,
        Subscriber(url, get_token=lambda: next(tokens, "last"), backoff=AT_ONCE) as s,
    ):
        assert await take(s, 1) == ["a"]
        with pytest.raises(TokenRefused):
            await take(s, 1)


async def test_a_token_that_is_refused_right_after_the_greeting_is_not_refreshed_again() -> None:
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


async def test_silence_ends_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SILENCE_S", 0.05)
    monkeypatch.setattr(session_module, "CLOSE_S", 0.05)

    async def silent(client: Client) -> None:
        await client.start(ping_s=0.05)
        await client.stay()

    async def lively(client: Client) -> None:
        await client.start()
        await client.batch(1, "a")
        await client.stay()

    async with gateway(silent, lively) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]
        assert s.stats.reconnects == 1


async def test_another_gateway_takes_over_when_one_is_gone() -> None:
    async def script(client: Client) -> None:
        await client.start()
        await client.batch(1, "a")
        await client.stay()

    async with gateway(script) as url, Subscriber(["http://127.0.0.1:1", url], token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]


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


async def test_a_command_without_a_connection_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_module, "COMMAND_S", 0.05)
    async with Subscriber("http://127.0.0.1:1", token="t") as s:
        with pytest.raises(NotConnected):
            await s.read(["01a20b84-19b1-735f-abad-44c02f4b4303"])


async def test_what_get_token_raises_comes_out() -> None:
    def broken() -> str:
        raise LookupError("no token today")

    async with Subscriber("http://127.0.0.1:1", get_token=broken) as s:
        with pytest.raises(LookupError, match="no token today"):
            await take(s, 1)


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


async def test_an_item_that_cannot_be_read_ends_the_connection_as_a_frame_does() -> None:
    async def unreadable(client: Client) -> None:
        await client.start()
        await client.send("batch", tag=1, items=[{"id": 7}], since=None)
        await client.stay()
        assert client.connection.close_code == 4400

    async def delivering(client: Client) -> None:
        await client.start()
        await client.batch(1, "a")
        await client.stay()

    async with gateway(unreadable, delivering) as url, Subscriber(url, token="t", backoff=AT_ONCE) as s:
        assert await take(s, 1) == ["a"]


def recorded(tried: list[int]) -> Backoff:
    """It waits for nothing, and notes what it was asked for."""

    class Recorded(Backoff):
        def delay(self, failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
            tried.append(failures)
            return 0.0

    return Recorded()


async def unreadable(client: Client) -> None:
    await client.start()
    await client.connection.send('{"op":"batch"}')
    await client.stay()


async def restarting(client: Client) -> None:
    await client.start()
    await client.close(1012)


async def delivering(client: Client) -> None:
    await client.start()
    await client.batch(1, "a")
    await client.stay()


async def test_whoever_greets_and_is_gone_at_once_is_tried_again_with_backoff() -> None:
    tried: list[int] = []
    scripts = [unreadable, unreadable, unreadable, restarting, unreadable, delivering]
    async with gateway(*scripts) as url, Subscriber(url, token="t", backoff=recorded(tried)) as s:
        await take(s, 1)
    assert tried == [0, 1, 2, 3, 4]


async def test_a_stable_connection_forgives_but_not_what_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "STABLE_S", 0.0)
    tried: list[int] = []
    scripts = [unreadable, unreadable, unreadable, restarting, unreadable, delivering]
    async with gateway(*scripts) as url, Subscriber(url, token="t", backoff=recorded(tried)) as s:
        await take(s, 1)
    assert tried == [0, 1, 2, 0, 0]


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


async def test_a_connection_that_ends_before_anything_came_is_resumed_all_the_same() -> None:
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
