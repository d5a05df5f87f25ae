"""A client that may break every rule: bytes on a socket of its own, and what a gateway answers."""

import asyncio
import itertools
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from websockets.frames import (
    Frame,
    Opcode,
    apply_mask,  # pyright: ignore[reportPrivateImportUsage] - C, or Python without it
)
from websockets.protocol import CLIENT, Protocol, State

from clarion.contracts.api.frames import BEARER_PREFIX, SUBPROTOCOL

ANSWER_S: Final = 20.0
_PER_ADDRESS: Final = 50  # below what a gateway takes of one address
_MASK: Final = b"\x0a\x1b\x2c\x3d"
_sources = itertools.count()


class Refused(Exception):
    """The upgrade was answered with something else."""


def source() -> tuple[str, int]:
    """An address of loopback to come from, a few clients each."""
    number = next(_sources) // _PER_ADDRESS
    return f"127.3.{number // 200 % 250}.{1 + number % 200}", 0


def upgrade(port: int, token: str) -> bytes:
    return (
        f"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}, {BEARER_PREFIX}{token}\r\n\r\n"
    ).encode()


def frame(opcode: int, payload: bytes, *, first: int = 0x80, mask: bytes = _MASK, size: int | None = None) -> bytes:
    """A client's frame. `first` has its FIN and RSV bits; `mask` may be empty, and `size` a lie."""
    said = len(payload) if size is None else size
    masked = 0x80 if mask else 0
    head = bytes([first | opcode])
    if said < 126:
        head += bytes([masked | said])
    elif said < 1 << 16:
        head += bytes([masked | 126]) + struct.pack("!H", said)
    else:
        head += bytes([masked | 127]) + struct.pack("!Q", said)
    return head + mask + (apply_mask(payload, mask) if mask else payload)


@dataclass(slots=True)
class Raw:
    """`code` is what the gateway closed with, 1006 when it just ended; 0 while it has not."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    code: int = 0
    _protocol: Protocol = field(default_factory=lambda: Protocol(CLIENT, state=State.OPEN))

    async def frames(self) -> list[Frame]:
        """The next ones, at least one; none when it has ended."""
        async with asyncio.timeout(ANSWER_S):
            while not self.code:
                try:
                    data = await self.reader.read(2**16)
                except ConnectionError:
                    data = b""
                if not data:
                    self.code = 1006
                    return []
                self._protocol.receive_data(data)
                found = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
                for one in found:
                    if one.opcode is Opcode.CLOSE:
                        self.code = int.from_bytes(one.data[:2], "big") if len(one.data) >= 2 else 1005
                if found:
                    return found
        return []

    async def hello(self) -> bool:
        """Whether it was greeted, before it ended."""
        while not self.code:
            for one in await self.frames():
                if one.opcode is Opcode.TEXT and bytes(one.data).startswith(b'{"op":"hello"'):
                    return True
        return False


@asynccontextmanager
async def opened(port: int, token: str) -> AsyncGenerator[Raw]:
    """Upgraded, and nothing said yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source())
    try:
        writer.write(upgrade(port, token))
        async with asyncio.timeout(ANSWER_S):
            head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Refused(head.partition(b"\r\n")[0].decode())
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


async def slow_socket(port: int, token: str) -> socket.socket:
    """Upgraded, with as small a buffer as the kernel gives: what is not read waits at the gateway."""
    loop = asyncio.get_running_loop()
    one = socket.socket()
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    one.bind(source())
    await loop.sock_connect(one, ("127.0.0.1", port))
    await loop.sock_sendall(one, upgrade(port, token))
    return one
