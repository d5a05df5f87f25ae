"""An application behind `GuardedHttp`, over real sockets, and clients that write bytes."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from clarion.security.address_counter import AddressCounter
from clarion.security.guarded_http import GuardedHttp
from clarion.security.unread import Readers

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = 16 * 1024 * 1024  # more than the system holds for a client that reads nothing


@dataclass
class Served:
    """An application behind the protocol; `gate` holds its answers back."""

    size: int = 2
    reads_body: bool = False
    asked: int = 0
    body: bytes = b""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    state: ServerState = field(default_factory=ServerState)
    port: int = 0
    reset: int = 0

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        message = {"more_body": True}
        while self.reads_body and message["more_body"]:
            message = await receive()
            self.body += message["body"]
        await self.gate.wait()
        headers = [(b"content-length", str(self.size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * self.size})

    def count_reset(self) -> None:
        self.reset += 1

    def is_empty(self) -> bool:
        return not self.state.connections and not self.state.tasks


@asynccontextmanager
async def serving(
    served: Served, ws: Callable[..., Any] | None = None, *, most: int = 0, most_unread: int = 0
) -> AsyncGenerator[Served]:
    addresses, readers = AddressCounter(most) if most else None, Readers(most_unread, served.count_reset)
    config = uvicorn.Config(served.app, interface="asgi3", log_config=None, ws=ws or "none")  # pyright: ignore[reportArgumentType]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: GuardedHttp(
            config=config, server_state=served.state, app_state={}, addresses=addresses, unread=readers
        ),
        "127.0.0.1",
        0,
    )
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served


@asynccontextmanager
async def client(served: Served) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", served.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.transport.abort()


async def is_problem(answer: bytes, status: int, type_: str) -> dict[str, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    assert line.split(" ")[1] == str(status)
    assert headers["content-type"] == "application/problem+json"
    found = json.loads(body)
    assert (found["status"], found["type"]) == (status, f"urn:clarion:problem:{type_}")
    assert found["title"]
    assert found["detail"]
    assert int(headers["content-length"]) == len(body)
    return headers
