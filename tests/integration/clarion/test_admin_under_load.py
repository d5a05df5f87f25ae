"""Each kind of process answers on its admin port while all of them work as fast as they can."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import httpx2
import msgspec

from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from deploy.local.stack import Stack

FOR_S: Final = 4.0
SENDERS: Final = 4
LINES: Final = 1_000
PATHS: Final = ("/healthz/live", "/healthz/ready", "/health", "/health/status", "/health/metrics", "/metrics")
PROBE_TIMEOUT_S: Final = 2.0  # of the image's health check, deploy/docker/inside/healthy.py


@asynccontextmanager
async def flooding(live: Settings, user: str) -> AsyncGenerator[list[int]]:
    """Batches for one user after another, to the low lane, as fast as ingest takes them; their answers' statuses."""
    to_all = {"type": "t", "message": "flood", "priority": "low"}
    lines = [{**to_all, "recipient": f"{user}-{n % 50}"} for n in range(LINES)]
    body = b"\n".join(map(msgspec.json.encode, lines))
    headers = {
        "Content-Type": "application/x-ndjson",
        "Authorization": f"Bearer {mint(live, sub='tests', scope=PUBLISH)}",
    }
    statuses: list[int] = []

    async def send(http: httpx2.AsyncClient) -> None:
        while True:
            answer = await http.post("/v1/notifications/batch", content=body, headers=headers)
            statuses.append(answer.status_code)

    async with httpx2.AsyncClient(trust_env=False, base_url=live.ingest_url, timeout=30) as http:
        senders = [asyncio.create_task(send(http)) for _ in range(SENDERS)]
        try:
            yield statuses
        finally:
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)


async def test_every_process_answers_under_load(stack: Stack, live: Settings, user: str) -> None:
    ports = {spec.name: stack.ports[spec.admin] for spec in stack.specs}
    slowest: dict[str, float] = dict.fromkeys(ports, 0.0)

    async def ask(http: httpx2.AsyncClient, name: str, path: str) -> None:
        began = time.monotonic()
        answer = await http.get(f"http://127.0.0.1:{ports[name]}{path}")
        slowest[name] = max(slowest[name], time.monotonic() - began)
        assert answer.status_code == 200, f"{name}{path}: {answer.text[:500]}"

    async with flooding(live, user) as statuses, httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        ends = time.monotonic() + FOR_S
        while time.monotonic() < ends:
            for path in PATHS:
                await asyncio.gather(*(ask(http, name, path) for name in ports))
            await asyncio.sleep(0.2)
    assert set(statuses) == {200}
    assert len(statuses) >= 4
    assert max(slowest.values()) < PROBE_TIMEOUT_S, slowest
