"""A TCP proxy on loopback that can be slow, or cut: for one process whose way to a server is bad."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

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
        upstream, to_server = await asyncio.open_connection(*self._to)
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

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, slow: bool) -> None:
        while chunk := await source.read(_CHUNK):
            if slow and self.delay_s:
                await asyncio.sleep(self.delay_s)
            sink.write(chunk)
            await sink.drain()
        sink.close()

    def cut(self) -> None:
        self.is_cut = True
        for writer in self._open:
            writer.transport.abort()


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncGenerator[Proxy]:
    proxy = Proxy(host, port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = int(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
