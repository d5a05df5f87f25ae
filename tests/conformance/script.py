"""The table as a server plays it for one SDK, whatever carries it."""

import asyncio
import time
from typing import Any, Final, Protocol

from tests.conformance.table import Case, Connection, Frame, item

STEP_S: Final = 10.0
HELLO: Final[Frame] = {
    "ping_s": 25.0,
    "window": 64,
    "window_bytes": 1 << 18,
    "unread": 0,
    "resumed": False,
    "degraded": False,
}


class Side(Protocol):
    """The server's side of one connection. `token`: what the client has shown."""

    @property
    def token(self) -> str: ...
    async def recv(self) -> Frame: ...
    async def send(self, frame: Frame) -> None: ...
    async def close(self, code: int) -> None: ...
    def abort(self) -> None: ...
    async def wait_closed(self) -> None: ...


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

    async def play(self, side: Side) -> None:
        try:
            assert self._waiting, "it came back once too often"
            connection = self._waiting.pop(0)
            assert side.token == token(connection.token if isinstance(connection.token, int) else 1)
            assert time.monotonic() - self._ended_at >= connection.after_s, "it came back too soon"
            is_last = not self._waiting
            await self._steps(connection, side)
            if is_last:
                self.played.set()
        except BaseException as error:
            self.failure = error
            self.played.set()
            raise
        await side.wait_closed()

    async def _steps(self, connection: Connection, side: Side) -> None:
        for number, (kind, *what) in enumerate(connection.steps):
            self._ended_at = time.monotonic()  # before it: by when it is over the other side may count for a while
            try:
                async with asyncio.timeout(STEP_S):
                    await self._step(kind, what, side)
            except Exception as error:
                error.add_note(f"at step {number}: {kind} {what}")
                raise

    async def _step(self, kind: str, what: list[Any], side: Side) -> None:
        match kind:
            case "client":
                await _hear(side, _as_client_says(what[0]))
            case "server":
                await side.send(self._as_server_says(what[0]))
            case "close":
                await side.close(what[0])
            case "cut":
                side.abort()
            case "app":
                assert self.application is not None
                await self.application.do(what[0], [item(name).id for name in (what[1:] or [[]])[0]])
            case "silence":
                await side.wait_closed()
            case _:
                assert kind == "other", f"no such step: {kind}"

    def _as_server_says(self, frame: Frame) -> Frame:
        if frame["op"] == "hello":
            return HELLO | {"session": f"1.1.{len(self._waiting)}"} | frame
        if frame["op"] == "batch":
            return frame | {"items": [_made(name) for name in frame["items"]]}
        return _as_client_says(frame)

    def check(self) -> None:
        """Raises what was wrong with the SDK."""
        if self.failure is not None:
            raise self.failure


async def _hear(side: Side, expected: Frame) -> None:
    """The next frame, where acknowledgements of less may come before one of more."""
    while True:
        said = await side.recv()
        if said["op"] == expected["op"] == "ack" and said["tag"] < expected["tag"]:
            continue
        assert said == expected
        return


def _as_client_says(frame: Frame) -> Frame:
    if "cursors" in frame:
        frame = frame | {"cursors": {lane: item(name).ord for lane, name in frame["cursors"].items()}}
    return frame | {"ids": [item(name).id for name in frame["ids"]]} if "ids" in frame else frame


def _made(text: str) -> Frame:
    one = item(text)
    made: Frame = {"id": one.id, "type": "t", "message": one.name, "sender": "svc", "data": {}, "lane": one.lane}
    made |= {"created_at": "2026-11-24T01:02:03.004Z"}
    return made | ({"expires_at": None, "ord": one.ord} if one.stored else {"unstored": True})
