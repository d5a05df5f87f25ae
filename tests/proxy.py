"""A TCP proxy on loopback that can be slow, or cut: for one process whose way to a server is bad."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

_CHUNK = 64 * 1024


class Proxy:
    """`delay_s` holds every chunk that the server answers; `is_cut` ends connections, and lets no new one through."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.delay_s = 0.0
        self.is_cut = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.close()
            return
        begun = await self.begin(reader, writer)
        if begun is None:
            writer.close()
            return
        try:
            upstream, to_server = await asyncio.open_connection(*self._to)
        except OSError:  # the server is away
            writer.close()
            return
        to_server.write(begun)
        pair = {writer, to_server}
        self._open |= pair
        try:
            await asyncio.gather(self._pump(reader, to_server, slow=False), self._pump(upstream, writer, slow=True))
        except ConnectionError:
            pass  # either side may leave as it likes
        finally:
            self._open -= pair
            for one in pair:
                one.close()

    async def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        """What goes to the server first; None: nothing does, and `writer` was answered."""
        return b""

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, slow: bool) -> None:
        while chunk := await source.read(_CHUNK):
            if slow and self.delay_s:
                await asyncio.sleep(self.delay_s)
            sink.write(chunk)
            await sink.drain()
        sink.close()

    def cut(self) -> None:
        self.is_cut = True
        self.drop()

    def drop(self) -> None:
        """End the connections there are; new ones come through."""
        for writer in self._open:
            writer.transport.abort()


class NoUpgrades(Proxy):
    """Refuses WebSockets while `is_blocking`, as some proxies do. To the server its pages are of `origin`."""

    origin = b""
    is_blocking = True
    refused = 0

    async def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None  # a browser opens connections before it needs them
        if self.is_blocking and b"\r\nupgrade: websocket" in head.lower():
            self.refused += 1
            writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return None
        return re.sub(rb"(?i)(?<=\r\norigin: )[^\r]*", self.origin, head)


def mongodb_at(port: int) -> str:
    """The address of a MongoDB whose way leads through a proxy: no other way may be found by itself."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


P = TypeVar("P", bound=Proxy)


@asynccontextmanager
async def proxied(host: str, port: int, kind: type[P] = Proxy) -> AsyncGenerator[P]:
    proxy = kind(host, port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = int(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
