"""Logs that nobody reads delay no delivery and no request, of no service."""

import asyncio
import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager

import httpx2
import pytest

from clarion.contracts import trace
from clarion.contracts.ids import new_id
from clarion.security.tokens import PUBLISH, mint
from clarion.settings import Settings
from tests.conftest import until
from tests.own_services import ROLES, Services, services

pytestmark = pytest.mark.slow

BLOCKED_S = 10.0
SOON_S = 2.0  # of 2 cores, on which other tests run; each of the processes would hang for good
PAUSE_S = 0.05


@contextmanager
def full_pipe() -> Generator[tuple[int, int]]:
    """A pipe that takes nothing more, since nobody reads it: the first line of a log blocks who writes it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ))
    except BlockingIOError:
        os.set_blocking(writing, True)  # of the process, which inherits it
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.timeout(300)
async def test_logs_that_nobody_reads_delay_nothing(settings: Settings) -> None:
    """Everything is logged that can be: each notification is sampled, and the level is `debug`."""
    env = {"CLARION_LOG_LEVEL": "debug", "CLARION_TRACES_PER_S": "1000"}
    with full_pipe() as (reading, writing):
        async with services(settings, lambda _: writing, env) as running:
            user, slowest_s, count = f"user-{new_id()}", 0.0, 0
            async with running.subscriber(user) as listening:
                await until(lambda: _is_connected(running))
                until_s = time.monotonic() + BLOCKED_S
                while time.monotonic() < until_s:
                    began = time.monotonic()
                    id_ = await _publish(running, user, "urgent" if count % 2 else "normal")
                    received = await asyncio.wait_for(anext(listening), 20)
                    slowest_s, count = max(slowest_s, time.monotonic() - began), count + 1
                    assert received.id == id_
                    await asyncio.sleep(PAUSE_S)
                for name in ROLES:
                    began = time.monotonic()
                    assert (await running.health(name)).is_success
                    slowest_s = max(slowest_s, time.monotonic() - began)
            print(f"{count} deliveries, the slowest took {slowest_s * 1000:.0f} ms")
            assert count > BLOCKED_S / SOON_S
            assert slowest_s < SOON_S
            # the pipe was never read: all that is in it is what filled it
            assert set(os.read(reading, 65_536)) == {ord("x")}


async def _is_connected(running: Services) -> bool:
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
        return (await http.get(f"http://127.0.0.1:{running.admin['gateway']}/health/metrics")).json()["rooms"] == 1


async def _publish(running: Services, user: str, priority: str) -> str:
    id_ = new_id()
    headers = {
        "Authorization": f"Bearer {mint(running.settings, sub='tests', scope=PUBLISH)}",
        "traceparent": str(trace.begun_by(id_, sampled=True)),
    }
    body = {"type": "t", "message": "x", "recipient": user, "priority": priority}
    async with httpx2.AsyncClient(trust_env=False, base_url=running.settings.ingest_url, timeout=20) as http:
        answer = await http.post("/v1/notifications", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]
