"""The SDK takes the proxy and the certificate authorities that its host is set to, as other programs do."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from clarion.client import Inbox, Publisher, Subscriber, Unavailable
from clarion.client.network import is_local, without_proxy
from clarion.contracts.api import frames
from clarion.contracts.api.frames import Batch, Hello
from tests.proxy import Proxy, proxied

HOST = "gateway.clarion.test"  # a name that no resolver knows, so that only the proxy can lead there
ITEM = (
    b'{"id":"1","type":"t","message":"hi","sender":"s","data":{},"created_at":"2026-01-01T00:00:00Z",'
    b'"lane":"normal","ord":[0,1]}'
)


class Connecting(Proxy):
    """Connects to its server, whatever host it is told."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return b""


@asynccontextmanager
async def secured(authority: trustme.CA) -> AsyncGenerator[int]:
    """Return the port of a server with TLS that is ingest and gateway at once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost").configure_cert(context)

    async def deliver(socket: ServerConnection) -> None:
        await socket.recv()
        hello = Hello("s", 30, 64, 2**18, 0, resumed=False, degraded=False)
        for frame in (hello, Batch(1, [msgspec.Raw(ITEM)], None)):
            await socket.send(frames.encode(frame), text=True)
        with contextlib.suppress(Exception):
            await socket.wait_closed()

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        return None if request.path == "/v1/ws" else connection.respond(HTTPStatus.OK, '{"unread":7}')

    async with serve(
        deliver, "127.0.0.1", 0, ssl=context, subprotocols=[Subprotocol(frames.SUBPROTOCOL)], process_request=answer
    ) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def heard(url: str, ssl_context: ssl.SSLContext | None = None) -> str:
    async with asyncio.timeout(10), Subscriber(url, token="t", ssl_context=ssl_context) as notifications:
        return (await anext(aiter(notifications))).message


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def port(authority: trustme.CA) -> AsyncIterator[int]:
    async with secured(authority) as port:
        yield port


@pytest.fixture
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The host trusts the authority."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


async def test_an_authority_the_host_does_not_know_is_refused(port: int) -> None:
    async with Inbox(f"https://localhost:{port}", token="t", deadline_s=0.5) as inbox:
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await inbox.unread_count()


@pytest.mark.usefixtures("trusted")
async def test_an_authority_that_the_host_trusts_is_trusted(port: int) -> None:
    async with Inbox(f"https://localhost:{port}", token="t") as inbox:
        assert await inbox.unread_count() == 7
    assert await heard(f"https://localhost:{port}") == "hi"


async def test_a_context_that_is_given_is_used(port: int, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with Inbox(f"https://localhost:{port}", token="t", ssl_context=context) as inbox:
        assert await inbox.unread_count() == 7
    assert await heard(f"https://localhost:{port}", context) == "hi"


@pytest.mark.usefixtures("trusted")
async def test_the_proxy_of_the_host_leads_to_both_servers(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxied("127.0.0.1", port, Connecting) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with Inbox(f"https://{HOST}", token="t") as inbox:
            assert await inbox.unread_count() == 7
        assert await heard(f"https://{HOST}") == "hi"
        assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"] * 2


@pytest.mark.usefixtures("trusted")
async def test_what_is_on_this_machine_takes_no_proxy(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxied("127.0.0.1", port, Connecting) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with Inbox(f"https://localhost:{port}", token="t") as inbox:
            assert await inbox.unread_count() == 7
        assert await heard(f"https://localhost:{port}") == "hi"
        assert proxy.asked == []


async def test_no_proxy_is_asked_for_what_the_host_excepts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxied("127.0.0.1", 9, Connecting) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "clarion.test")
        async with Publisher.http(f"https://{HOST}", token="t", deadline_s=0.3) as publisher:
            with pytest.raises(Unavailable):
                await publisher.publish(recipient="ann", type="t", message="hi", idempotency_key="k")
        assert proxy.asked == []


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:8080", True),
        ("ws://a.localhost", True),
        ("http://127.3.0.1:8080", True),
        ("wss://[::1]:8081", True),
        ("http://10.0.0.1", False),
        ("https://localhost.example", False),
        ("http://[2001:db8::1]", False),
    ],
)
def test_local_is_what_leads_to_this_machine(url: str, local: bool) -> None:
    assert is_local(url) is local
    assert bool(without_proxy([url])) is local


def test_an_address_of_ipv6_keeps_its_brackets() -> None:
    assert without_proxy(["http://[::1]:8081/v1", "https://ann.example"]) == {"all://[::1]": None}
