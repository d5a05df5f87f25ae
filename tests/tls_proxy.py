"""A proxy that ends TLS, and has a service below a path prefix, which it takes away, as an Ingress does."""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from tests.certificates import Certified
from tests.proxy import Proxy

PREFIX: Final = "/notify"
_REQUEST: Final = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n")


class TlsProxy(Proxy):
    """Takes `PREFIX` from each path, and refuses paths that have none. Each connection brings one request.

    To the server its pages are of `origin`, if that is given.
    """

    origin = b""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}{PREFIX}"

    async def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None  # a browser opens connections before it needs them
        asked = _REQUEST.match(head)
        path = asked[2].decode() if asked else ""
        self.paths.append(path)
        if asked is None or not path.startswith(f"{PREFIX}/"):
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return None
        is_upgrade = b"\r\nupgrade: websocket" in head.lower()
        rest = head[asked.end() :] if is_upgrade else re.sub(rb"(?im)^connection:[^\r]*\r\n", b"", head[asked.end() :])
        if self.origin:
            rest = re.sub(rb"(?im)^(origin: )[^\r]*", rb"\g<1>" + self.origin, rest)
        told = b"" if is_upgrade else b"connection: close\r\n"
        line = b"%s %s HTTP/1.1\r\n" % (asked[1], path.removeprefix(PREFIX).encode())
        return line + told + b"x-forwarded-proto: https\r\nx-forwarded-prefix: %s\r\n" % PREFIX.encode() + rest


@asynccontextmanager
async def tls_proxied(url: str, server: Certified) -> AsyncGenerator[TlsProxy]:
    """A proxy in front of the service at `url`, which presents the certificate of `server`."""
    host, _, port = url.removeprefix("http://").partition(":")
    proxy = TlsProxy(host, int(port))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=context)
    proxy.port = int(listening.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        listening.close()
        proxy.cut()


def trusting(ca: str) -> Mapping[str, str]:
    """The variables by which every client of this machine trusts an authority."""
    return {"SSL_CERT_FILE": ca}
