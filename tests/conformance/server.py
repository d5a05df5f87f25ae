"""A server that plays the table for one SDK, over real sockets."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, Protocol

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from tests.conformance.table import Case, Connection, Frame, item

STEP_S: Final = 10.0
HELLO: Final[Frame] = {
    "session": "s",
    "ping_s": 25.0,
    "window": 64,
    "window_bytes": 1 << 18,
    "unread": 0,
    "resumed": False,
    "degraded": False,
}


class Application(Protocol):
    """What a step asks of whoever uses the SDK."""

    async def do(self, verb: str, ids: list[str]) -> None: ...


def token(number: int) -> str:
    return f"conformance.token.{number}"


class Script:
    """Plays the connections of a case, one after the other; `played` is set after the last step."""

    def __init__(self, case: Case) -> None:
        self.case: Final = case
        self.application: Application | None = None
        self.played: Final = asyncio.Event()
        self.failure: BaseException | None = None
        self._waiting: Final = list(case.connections)
        self._ended_at = 0.0

    async def play(self, socket: ServerConnection) -> None:
        try:
            assert self._waiting, "it came back once too often"
            connection = self._waiting.pop(0)
            assert _token_of(socket) == token(connection.token if isinstance(connection.token, int) else 1)
            assert time.monotonic() - self._ended_at >= connection.after_s, "it came back too soon"
            is_last = not self._waiting
            await self._steps(connection, socket)
            if is_last:
                self.played.set()
        except BaseException as error:
            self.failure = error
            self.played.set()
            raise
        await socket.wait_closed()
        self._ended_at = time.monotonic()

    async def _steps(self, connection: Connection, socket: ServerConnection) -> None:
        for number, (kind, *what) in enumerate(connection.steps):
            try:
                async with asyncio.timeout(STEP_S):
                    await self._step(kind, what, socket)
            except Exception as error:
                error.add_note(f"at step {number}: {kind} {what}")
                raise
            self._ended_at = time.monotonic()

    async def _step(self, kind: str, what: list[Any], socket: ServerConnection) -> None:
        match kind:
            case "client":
                await _hear(socket, _as_client_says(what[0]))
            case "server":
                await socket.send(msgspec.json.encode(_as_server_says(what[0])).decode())
            case "close":
                await socket.close(what[0], "by the table")
            case "cut":
                socket.transport.abort()
            case "app":
                assert self.application is not None
                await self.application.do(what[0], [item(name).id for name in (what[1:] or [[]])[0]])
            case "silence":
                await socket.wait_closed()
            case _:
                assert kind == "other", f"no such step: {kind}"

    def count(self) -> int | None:
        return self.case.counted


async def _hear(socket: ServerConnection, expected: Frame) -> None:
    """The next frame, where acknowledgements of less may come before one of more."""
    while True:
        said = msgspec.json.decode(await socket.recv())
        if said["op"] == expected["op"] == "ack" and said["tag"] < expected["tag"]:
            continue
        assert said == expected
        return


def _as_client_says(frame: Frame) -> Frame:
    if "cursors" in frame:
        frame = frame | {"cursors": {lane: item(name).ord for lane, name in frame["cursors"].items()}}
    return frame | {"ids": [item(name).id for name in frame["ids"]]} if "ids" in frame else frame


def _as_server_says(frame: Frame) -> Frame:
    if frame["op"] == "hello":
        return HELLO | frame
    if frame["op"] == "batch":
        return frame | {"items": [_made(name) for name in frame["items"]]}
    return _as_client_says(frame)


def _made(text: str) -> Frame:
    one = item(text)
    made: Frame = {"id": one.id, "type": "t", "message": one.name, "sender": "svc", "data": {}, "lane": one.lane}
    made |= {"created_at": "2026-11-24T01:02:03.004Z"}
    return made | ({"expires_at": None, "ord": one.ord} if one.stored else {"unstored": True})


def _token_of(socket: ServerConnection) -> str:
    """A browser shows it as a subprotocol, others in a header."""
    assert socket.request is not None
    headers = socket.request.headers
    offered = [name.strip() for name in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    shown = [name.removeprefix("bearer.") for name in offered if name.startswith("bearer.")]
    assert socket.subprotocol == "clarion.v1"
    return shown[0] if shown else headers["Authorization"].removeprefix("Bearer ")


@asynccontextmanager
async def playing(script: Script) -> AsyncGenerator[str]:
    """The address of a server that plays it. What is wrong with the SDK comes out of the block."""

    async def answer(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/v1/ws":
            return None
        assert request.path == "/v1/inbox/count"
        return connection.respond(HTTPStatus.OK, f'{{"unread": {script.count()}}}')

    options: Any = {"subprotocols": ["clarion.v1"], "ping_interval": None, "process_request": answer}
    async with serve(script.play, "127.0.0.1", 0, **options) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
    if script.failure is not None:
        raise script.failure
