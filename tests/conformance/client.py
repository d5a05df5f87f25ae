"""A client that plays the table for a real gateway, over a socket or an event stream."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import httpx2
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from clarion.client import HttpPublisher
from clarion.security.tokens import OPERATE, PUBLISH, SUBSCRIBE, mint
from clarion.settings import Settings
from tests import gateways
from tests.conformance.table import Case, Connection, Frame, Step, item
from tests.disconnecting import disconnect, next_second
from tests.streams import Listener, listening

STEP_S: Final = 20.0
_PLACES: Final = {"beyond": [0, 1 << 40]}  # of no item: where no lane has come to
_OWN_WORDS: Final = {"since", "detail"}  # what a gateway says there is its own business


class Line(Protocol):
    """One connection: what the client of it can do."""

    async def say(self, frame: Frame) -> None: ...
    async def hear(self, op: str) -> Frame: ...
    async def close_code(self) -> int | None: ...


class OpenLine(Protocol):
    def __call__(self, url: str, token: str, first: Frame) -> AbstractAsyncContextManager[Line]: ...


@dataclass
class Socket:
    socket: ClientConnection

    async def say(self, frame: Frame) -> None:
        await self.socket.send(json.dumps(frame))

    async def hear(self, op: str) -> Frame:
        return await gateways.frame(self.socket, op)

    async def close_code(self) -> int | None:
        return await gateways.close_code(self.socket)


@asynccontextmanager
async def by_socket(url: str, token: str, first: Frame) -> AsyncGenerator[Line]:
    async with gateways.wire(url, token) as socket:
        with suppress(ConnectionClosed):  # a token may be refused before anything is said: then that is to be read
            await socket.send(json.dumps(first))
        yield Socket(socket)
        socket.transport.abort()


@dataclass
class Stream:
    stream: Listener
    url: str

    async def say(self, frame: Frame) -> None:
        if frame["op"] == "ack":
            assert (await self.stream.post(self.url, frame["tag"])).status_code == 202
        else:
            await mark(self.url, self.stream.token, frame["op"], frame["ids"])

    async def hear(self, op: str) -> Frame:
        return await self.stream.frame(op)

    async def close_code(self) -> int | None:
        return await self.stream.close_code()


@asynccontextmanager
async def by_stream(url: str, token: str, first: Frame) -> AsyncGenerator[Line]:
    async with listening(url, token, first) as stream:
        yield Stream(stream, url)


async def mark(url: str, token: str, verb: str, ids: list[str]) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=STEP_S) as http:
        answer = await http.post(
            f"{url}/v1/inbox/{verb}", json={"ids": ids}, headers={"Authorization": f"Bearer {token}"}
        )
    assert answer.status_code == 200


@dataclass
class Player:
    """Names of the table → what the gateway made of them. `acknowledged`: ids the table's client has handled."""

    live: Settings
    publisher: HttpPublisher
    user: str
    open_line: OpenLine
    acknowledged: list[str] = field(default_factory=list[str])
    _ids: dict[str, str] = field(default_factory=dict[str, str])
    _places: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    _since: dict[str, str] = field(default_factory=dict[str, str])
    _tags: dict[int, tuple[int, list[str]]] = field(default_factory=dict[int, tuple[int, list[str]]])

    async def play(self, case: Case) -> None:
        for number, connection in enumerate(case.connections):
            self._tags.clear()
            if isinstance(connection.token, int) and connection.token > 1:
                await next_second()  # a token of the second in which another was refused is refused, too
            # at another gateway each time: what a client has to know it brings along
            url = self.live.gateway_urls[number % 2]
            (_, first), *steps = connection.steps
            token = self._token(connection)
            async with self.open_line(url, token, self._said(first)) as line:
                for step in steps:
                    try:
                        async with asyncio.timeout(STEP_S):
                            await self._step(step, line)
                    except Exception as error:
                        error.add_note(f"at {step}")
                        raise

    def _token(self, connection: Connection) -> str:
        scope = PUBLISH if connection.token == "publish" else SUBSCRIBE
        token = mint(self.live, sub=self.user, scope=scope)
        return token[:-4] + "AAAA" if connection.token == "foreign" else token

    async def _step(self, step: Step, line: Line) -> None:
        match step:
            case ["client", frame]:
                await line.say(self._said(frame))
            case ["server", {"op": "batch", "items": names} as frame]:
                await self._batch(frame, names, line)
            case ["server", frame]:
                await self._hear(frame, line)
            case ["close", code, *by]:
                if by == ["disconnect"]:
                    operator = mint(self.live, sub="ops", scope=OPERATE)
                    assert (await disconnect(self.live.gateway_urls[0], self.user, operator)).status_code == 202
                assert await line.close_code() == code
            case ["other", verb, names]:
                token = mint(self.live, sub=self.user, scope=SUBSCRIBE)
                await mark(self.live.gateway_urls[1], token, verb, [self._ids[name] for name in names])
            case ["app", *_] | ["cut"]:
                pass
            case _:
                raise AssertionError("no step for a gateway")

    def _said(self, frame: Frame) -> Frame:
        """A frame of the table as the client of this gateway says it."""
        if frame["op"] == "ack":
            tag, names = self._tags.get(frame["tag"], (frame["tag"], []))
            self.acknowledged += [self._ids[name] for name in names]
            return frame | {"tag": tag}
        if frame["op"] == "resume":
            cursors = {
                lane: self._places.get(name, _PLACES.get(name, [0, 0])) for lane, name in frame["cursors"].items()
            }
            return frame | {"cursors": cursors, "since": self._since.get(frame["since"], frame["since"])}
        return frame | {"ids": [self._ids[name] for name in frame["ids"]]} if "ids" in frame else frame

    async def _batch(self, frame: Frame, names: list[str], line: Line) -> None:
        """What is new of it is published; then it has to come, in this order and nothing else, in one frame or more."""
        items = [item(name) for name in names]
        for one in items:
            if one.name not in self._ids:
                self._ids[one.name] = await self.publisher.publish(
                    recipient=self.user, type="t", message=one.name, priority=one.lane
                )
        got: list[Frame] = []
        batch: Frame = {}
        while len(got) < len(items):
            batch = await line.hear("batch")
            got += batch["items"]
        assert [one["message"] for one in got] == [one.name for one in items]
        assert [one["id"] for one in got] == [self._ids[one.name] for one in items]
        assert [one["lane"] for one in got] == [one.lane for one in items]
        self._places |= {one["message"]: one["ord"] for one in got}
        self._tags[frame["tag"]] = (batch["tag"], [one.name for one in items])
        self._since[frame["since"]] = batch["since"]

    async def _hear(self, expected: Frame, line: Line) -> None:
        said = await line.hear(expected["op"])
        while expected["op"] == "sync" and said["change"] != expected["change"]:
            said = await line.hear("sync")  # that something was delivered is told as well
        if "since" in expected:
            assert said["since"]
            self._since[expected["since"]] = said["since"]
        fixed = expected.keys() - _OWN_WORDS
        assert {key: said[key] for key in fixed} == {key: self._named(key, expected[key]) for key in fixed}

    def _named(self, key: str, value: Any) -> Any:
        return [self._ids[name] for name in value] if key == "ids" else value
