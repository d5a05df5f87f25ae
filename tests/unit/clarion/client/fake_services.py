"""Ingest's and the inbox's doors over real connections, for clients of the SDK."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from clarion.client import Publisher


class Server:
    """Ingest's and the inbox's doors over real connections. Of a batch `per_try` lines are taken at a time."""

    def __init__(self, per_try: int = 1_000) -> None:
        self.per_try = per_try
        self.accepted: list[str] = []
        self.requests = self.open = self.most_open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                [length] = [int(line.split(":")[1]) for line in lines if line.startswith("content-length:")] or [0]
                status, body = self._answer(lines[0].split()[1], await reader.readexactly(length))
                self.requests += 1
                writer.write(b"HTTP/1.1 %d -\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)
        except asyncio.IncompleteReadError:
            self.open -= 1
            writer.close()

    def _answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path.startswith("/v1/inbox"):
            return 200, b'{"unread": 3}'
        if not path.endswith("/batch"):
            return 202, b'{"id": "%s"}' % self._accept(body).encode()
        found: list[dict[str, object]] = []
        for number, line in enumerate(body.split(b"\n"), 1):
            if line and b"bad" in line:
                found.append(
                    {"line": number, "status": 422, "errors": [{"pointer": "/type", "code": "c", "detail": "d"}]}
                )
            elif line and len(found) < self.per_try:
                found.append({"line": number, "status": 202, "id": self._accept(line)})
            elif line:
                found.append(
                    {"line": number, "status": 429, "errors": [{"pointer": "", "code": "c", "detail": "rate"}]}
                )
        return 200, b"\n".join(map(msgspec.json.encode, found))

    def _accept(self, line: bytes) -> str:
        self.accepted.append(msgspec.json.decode(line)["recipient"])
        return self.accepted[-1]


@asynccontextmanager
async def serving(server: Server) -> AsyncGenerator[str]:
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=1_000) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        while server.open:  # the client has hung up, which is still to be seen
            await asyncio.sleep(0.001)


async def publish(publisher: Publisher, number: int, **more: str) -> str:
    return await publisher.publish(recipient=f"u{number}", type="t", message="hi", **more)  # pyright: ignore[reportArgumentType]
