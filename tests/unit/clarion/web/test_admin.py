"""The admin port: the probes of Kubernetes, health with its reasons, and metrics."""

import httpx2

from clarion.telemetry import metrics
from clarion.telemetry.health import Health
from clarion.web.admin import admin_app


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


async def test_a_dependency_that_is_down_degrades_and_leaves_it_ready() -> None:
    health = Health("test", started=True)
    health.dependency("kafka").seen("no answer")
    assert (await get(health, "/healthz/ready")).status_code == 200
    assert (await get(health, "/healthz/live")).status_code == 200
    overall = await get(health, "/health")
    assert (overall.status_code, overall.json()["status"]) == (200, "degraded")
    assert overall.json()["reasons"] == ["kafka is down: no answer"]
    assert (await get(health, "/health/status")).text == "degraded"


async def test_health_tells_the_state_of_each_dependency() -> None:
    health = Health("test", started=True)
    for name, error in (("kafka", "no answer"), ("mongodb", "")):
        health.dependency(name).seen(error)
    health.dependency("issuer")
    for path in ("/health", "/health/metrics"):
        told = (await get(health, path)).json()["dependencies"]
        states = {name: (one["up"], one["state"], one["error"]) for name, one in told.items()}
        assert states == {
            "kafka": (False, "is down", "no answer"),
            "mongodb": (True, "is up", ""),
            "issuer": (None, "is not known yet", ""),
        }


async def test_a_failure_that_needs_a_restart_is_503_to_the_probes() -> None:
    health = Health("test", started=True, failures=[lambda: "stuck"])
    assert (await get(health, "/healthz/live")).status_code == 503
    assert (await get(health, "/health")).status_code == 503
    assert (await get(health, "/health/status")).text == "failing"


async def test_metrics_are_prometheus_text() -> None:
    metrics.logs_dropped.inc()
    answer = await get(Health("test"), "/metrics")
    assert "clarion_logs_dropped_total" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
