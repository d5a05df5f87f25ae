"""Processes that answer at their admin ports, over real sockets."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

METRICS = 'clarion_stored_total{lane="low"} 4.0\n'


def saying(service: str, status: str = "ok", *, reasons: list[str] | None = None, ready: bool = True) -> dict[str, Any]:
    """What a process answers at each path."""
    return {
        "/health": {"service": service, "status": status, "reasons": reasons or []},
        "/healthz/ready": {"ok": ready, "reasons": [] if ready else ["starting"]},
        "/health/metrics": {"service": service, "uptime_s": 1.0},
        "/metrics": METRICS,
    }


@asynccontextmanager
async def answering(answers: Mapping[str, Any], host: str = "127.0.0.1") -> AsyncGenerator[str]:
    """A server of these answers, by path; a path without one is never answered. Its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        path = request.split()[1].decode().partition("?")[0]
        if path in answers:
            answer = answers[path]
            body = answer if isinstance(answer, str) else json.dumps(answer)
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
            await writer.drain()
            writer.close()
        else:
            await reader.read()
            writer.close()

    server = await asyncio.start_server(serve, host, 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"http://{host}:{port}"
    finally:
        server.close()
        await server.wait_closed()
