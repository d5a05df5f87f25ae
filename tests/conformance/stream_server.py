"""A server that plays the table for an SDK that can have no socket: events one way, and POSTs the other."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from clarion.contracts.api import streams
from tests.conformance.script import Frame, Script

_SAID: Final = 64  # frames that wait to be looked at


class StreamSide:
    """One stream; what is posted for it comes in as the frame that a socket would bring."""

    def __init__(self, token: str, resume: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.token = token
        self.session = ""
        self._reader = reader
        self._writer = writer
        self._tag = 0
        self._said: asyncio.Queue[Frame] = asyncio.Queue(_SAID)
        self._said.put_nowait(msgspec.json.decode(resume))

    async def recv(self) -> Frame:
        return await self._said.get()

    async def send(self, frame: Frame) -> None:
        self.session = frame.get("session", self.session)
        self._writer.write(streams.event(msgspec.json.encode(frame)))
        await self._writer.drain()

    async def close(self, code: int) -> None:
        self._writer.write(streams.close_event(code, "by the table"))
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def wait_closed(self) -> None:
        with suppress(ConnectionError):  # when it was cut
            await self._reader.read()

    def posted(self, path: str, body: Frame) -> int:
        """Returns the status of the answer."""
        if path != streams.ACK_PATH:
            self._said.put_nowait({"op": path.rpartition("/")[2], **body})
            return 200
        if body["session"] != self.session:
            return 404
        is_pong, self._tag = body["tag"] == self._tag, body["tag"]
        self._said.put_nowait({"op": "pong"} if is_pong else {"op": "ack", "tag": self._tag})
        return 202


class _Server:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._latest: StreamSide | None = None

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on each connection, which a client may also open and leave without a word."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            writer.close()
            return
        (method, target, _), *lines = [line.split(maxsplit=2) for line in head.strip().splitlines()]
        headers = {name.lower(): " ".join(rest) for name, *rest in lines}
        body = await reader.readexactly(int(headers.get("content-length:", "0")))
        url = urlsplit(target)
        if (method, url.path) == ("GET", streams.PATH):
            await self._stream(url.query, headers, reader, writer)
        else:
            writer.write(self._short(method, url.path, body))
        writer.close()

    async def _stream(
        self, query: str, headers: Mapping[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(_head(200, streams.MEDIA_TYPE))
        [resume] = parse_qs(query)["resume"]
        self._latest = StreamSide(headers["authorization:"].removeprefix("Bearer "), resume, reader, writer)
        await self._script.play(self._latest)

    def _short(self, method: str, path: str, body: bytes) -> bytes:
        if method == "GET":
            assert path == "/v1/inbox/count"
            return _head(200, "application/json") + b'{"unread":%d}' % (self._script.case.counted or 0)
        assert self._latest is not None
        status = self._latest.posted(path, msgspec.json.decode(body))
        return _head(status, "application/json") + (b'{"unread":0}' if status == 200 else b"")


def _head(status: int, media_type: str) -> bytes:
    return f"HTTP/1.1 {status} \r\ncontent-type: {media_type}\r\nconnection: close\r\n\r\n".encode()


@asynccontextmanager
async def playing_streams(script: Script) -> AsyncGenerator[str]:
    """The address of a server that plays it. What is wrong with the SDK comes out of the block."""
    server = await asyncio.start_server(_Server(script).answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
    script.check()
