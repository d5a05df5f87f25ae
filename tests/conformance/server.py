"""A server that plays the table for an SDK over real sockets."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from tests.conformance.script import Frame, Script


class SocketSide:
    def __init__(self, socket: ServerConnection) -> None:
        assert socket.subprotocol == "clarion.v1"
        self.token = _token_of(socket)
        self._socket = socket

    async def recv(self) -> Frame:
        return msgspec.json.decode(await self._socket.recv())

    async def send(self, frame: Frame) -> None:
        await self._socket.send(msgspec.json.encode(frame).decode())

    async def close(self, code: int) -> None:
        await self._socket.close(code, "by the table")

    def abort(self) -> None:
        self._socket.transport.abort()

    async def wait_closed(self) -> None:
        await self._socket.wait_closed()


def _token_of(socket: ServerConnection) -> str:
    """A browser shows it as a subprotocol, others in a header."""
    assert socket.request is not None
    headers = socket.request.headers
    offered = [name.strip() for name in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    shown = [name.removeprefix("bearer.") for name in offered if name.startswith("bearer.")]
    return shown[0] if shown else headers["Authorization"].removeprefix("Bearer ")


@asynccontextmanager
async def playing(script: Script) -> AsyncGenerator[str]:
    """The address of a server that plays it. What is wrong with the SDK comes out of the block."""

    async def play(socket: ServerConnection) -> None:
        await script.play(SocketSide(socket))

    async def answer(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/v1/ws":
            return None
        assert request.path == "/v1/inbox/count"
        return connection.respond(HTTPStatus.OK, f'{{"unread": {script.case.counted}}}')

    options: Any = {"subprotocols": ["clarion.v1"], "ping_interval": None, "process_request": answer}
    async with serve(play, "127.0.0.1", 0, **options) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
    script.check()
