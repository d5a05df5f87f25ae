"""Health says what Kubernetes asks; logs come from a bounded queue and repeat no library's complaint."""

import asyncio
import io
import json
import logging
import threading

import httpx2
import pytest
import structlog
from prometheus_client import REGISTRY
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from clarion.telemetry import metrics
from clarion.telemetry.health import Health, watch
from clarion.telemetry.logs import logging_to
from clarion.web.admin import admin_app

TOKEN = "ey.secret.token"


async def get(health: Health, path: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(admin_app(health))
    async with httpx2.AsyncClient(transport=transport, base_url="http://admin") as http:
        return await http.get(path)


async def test_ready_only_after_the_start_and_not_while_draining() -> None:
    health = Health("test")
    assert (await get(health, "/healthz/startup")).status_code == 503
    assert (await get(health, "/healthz/ready")).json()["reasons"] == ["starting"]
    health.started = True
    assert (await get(health, "/healthz/ready")).status_code == 200
    assert (await get(health, "/healthz/startup")).status_code == 200
    health.draining = True
    assert (await get(health, "/healthz/ready")).json()["reasons"] == ["draining"]
    assert (await get(health, "/healthz/live")).status_code == 200


async def test_a_dependency_that_is_down_degrades_and_leaves_ready_and_alive() -> None:
    health = Health("test", started=True)
    health.dependency("kafka").seen("no answer")
    assert (await get(health, "/healthz/ready")).status_code == 200
    assert (await get(health, "/healthz/live")).status_code == 200
    overall = await get(health, "/health")
    assert (overall.status_code, overall.json()["status"]) == (200, "degraded")
    assert overall.json()["reasons"] == ["kafka is down: no answer"]
    assert (await get(health, "/health/status")).text == "degraded"


async def test_a_failure_only_a_restart_mends_is_503_for_live_and_health() -> None:
    health = Health("test", started=True, failures=[lambda: "stuck"])
    assert (await get(health, "/healthz/live")).status_code == 503
    assert (await get(health, "/health")).status_code == 503
    assert (await get(health, "/health/status")).text == "failing"


async def test_metrics_are_prometheus_text() -> None:
    metrics.logs_dropped.inc()
    answer = await get(Health("test"), "/metrics")
    assert "clarion_logs_dropped_total" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_probe_that_fails_or_hangs_means_down_and_recovers() -> None:
    dependency = Health("test").dependency("mongodb")
    answers = iter([OSError("refused"), None])
    seen: list[bool | None] = []

    async def probe() -> None:
        seen.append(dependency.up)
        if error := next(answers, None):
            raise error

    watching = asyncio.create_task(watch(dependency, probe))
    async with asyncio.timeout(10):
        while len(seen) < 3:
            await asyncio.sleep(0.02)
    watching.cancel()
    assert seen == [None, False, True]


def test_logs_are_json_lines_with_the_service_and_a_librarys_complaint_comes_once() -> None:
    out = io.StringIO()
    with logging_to(out, service="test", level="info"):
        structlog.get_logger("mine").info("hello", n=1)
        for _ in range(3):
            logging.getLogger("aiokafka.conn").error("cannot connect")
        for n in range(3):
            logging.getLogger("clarion.x").info("line %d", n)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["hello", "cannot connect", "line 0", "line 1", "line 2"]
    assert lines[0]["n"] == 1
    assert {line["service"] for line in lines} == {"test"}


async def test_at_debug_no_library_writes_down_what_went_over_the_wire() -> None:
    """Tokens would be in the log. A library that comes under a new name is found by this, too."""
    out, sent = io.StringIO(), list[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with logging_to(out, service="test", level="debug"):
            logging.getLogger("clarion.x").debug("at this level")
            async with httpx2.AsyncClient(trust_env=False) as http:
                await http.get(f"http://{address}", headers={"Authorization": f"Bearer {TOKEN}"})
            with pytest.raises(InvalidStatus):
                await connect(f"ws://{address}", additional_headers={"Authorization": f"Bearer {TOKEN}"}, proxy=None)
    assert len(sent) == sum(TOKEN.encode() in request for request in sent) == 2
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["at this level"]


def test_a_full_log_queue_drops_and_counts_and_never_blocks() -> None:
    class Stuck(io.StringIO):
        def write(self, text: str, /) -> int:
            release.wait(10)
            return super().write(text)

    release = threading.Event()
    before = dropped()
    with logging_to(Stuck(), service="test", level="info"):
        for n in range(12_000):
            logging.getLogger("clarion.x").info("line %d", n)
        lost = dropped() - before
        release.set()
    assert lost >= 1_000


def dropped() -> float:
    return REGISTRY.get_sample_value("clarion_logs_dropped_total") or 0.0
