"""An issuer of tokens over real HTTP, its keys, and a clock of the test's own."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

PRIVATE = rsa.generate_private_key(65_537, 2048)


def jwk(kid: str, key: rsa.RSAPrivateKey = PRIVATE, **fields: Any) -> dict[str, Any]:
    return json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"} | fields


class Issuer:
    """Serves `keys`, or `status`; counts what it is asked."""

    def __init__(self) -> None:
        self.keys: list[Any] = [jwk("one")]
        self.status = 200
        self.asked = 0
        self.slow_s = 0.0
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await asyncio.sleep(self.slow_s)
        body = json.dumps({"keys": self.keys}).encode()
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving() -> AsyncGenerator[Issuer]:
    issuer = Issuer()
    async with await asyncio.start_server(issuer.answer, "127.0.0.1", 0) as server:
        issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
        yield issuer


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
