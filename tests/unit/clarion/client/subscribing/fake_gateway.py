"""A gateway of a test's own, in its process: each connection plays a script, over a real socket."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from clarion.client import State, Subscriber
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


async def delivering(client: Client) -> None:
    """The script that sends one item, and stays."""
    await client.start()
    await client.batch(1, "a")
    await client.stay()


async def never(_: ServerConnection) -> None:
    raise AssertionError("nobody comes in")


def recorded(tried: list[int]) -> Backoff:
    """It waits for nothing, and notes what it was asked for."""

    class Recorded(Backoff):
        def delay(self, failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
            tried.append(failures)
            return 0.0

    return Recorded()
