"""The performance monitor: what it says at /health, at /health/metrics, in the log and as a metric; its cost."""

import asyncio
import time
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from clarion.rules.history import Sample
from clarion.telemetry import metrics
from clarion.telemetry.health import Health
from clarion.telemetry.monitor import LOOK_EVERY_S, Monitor, registered
from clarion.web.admin import admin_app


class Registry:
    """Stands for the registry of a process whose one breaker is open or not."""

    def __init__(self, breaker: float = 0) -> None:
        self.breaker = breaker
        self.failure: Exception | None = None

    def read(self) -> list[Sample]:
        if self.failure:
            raise self.failure
        return [
            Sample("clarion_breaker_state", {"dependency": "mongodb"}, self.breaker),
            Sample("process_resident_memory_bytes", {}, 5e7),
            Sample("clarion_connections", {"state": "open"}, 12),
        ]


def looked(monitor: Monitor, seconds: float, began: float = 0) -> None:
    for step in range(int(seconds / LOOK_EVERY_S) + 1):
        monitor.look(began + step * LOOK_EVERY_S)


async def get(monitor: Monitor, path: str) -> Any:
    health = Health("test", started=True, findings=[monitor.reasons], figures=[monitor.figures])
    transport = httpx2.ASGITransport(admin_app(health))
    async with httpx2.AsyncClient(transport=transport, base_url="http://admin") as http:
        return (await http.get(path)).json()


async def test_a_finding_degrades_with_its_cause_and_its_cure() -> None:
    monitor = Monitor(Registry(breaker=2).read)
    looked(monitor, 60)
    said = await get(monitor, "/health")
    assert said["status"] == "degraded"
    (reason,) = said["reasons"]
    assert reason.startswith("A process has stopped calling mongodb")
    assert "overloaded" in reason
    assert reason.endswith("docs/runbook.md#breaker-open.")


async def test_figures_and_findings_are_at_health_metrics() -> None:
    monitor = Monitor(Registry(breaker=2).read)
    looked(monitor, 60)
    figures = await get(monitor, "/health/metrics")
    assert figures["performance"] == {"memory_bytes": 5e7, "connections": {"open": 12}}
    (finding,) = figures["findings"]
    assert (finding["rule"], finding["severity"], finding["labels"]) == (
        "breaker-open", "critical", {"dependency": "mongodb"},
    )  # fmt: skip
    assert finding["for_s"] == 60


async def test_a_process_that_is_well_is_ok() -> None:
    monitor = Monitor(Registry().read)
    looked(monitor, 60)
    assert await get(monitor, "/health") == {"service": "test", "status": "ok", "reasons": [], "dependencies": {}}


def test_a_metric_tells_which_rules_hold() -> None:
    registry = Registry(breaker=2)
    monitor = Monitor(registry.read)
    looked(monitor, 60)

    def told() -> float | None:
        return REGISTRY.get_sample_value("clarion_trouble", {"rule": "breaker-open"})

    assert told() == 1
    registry.breaker = 0
    looked(monitor, 120, began=65)
    assert told() == 0
    # of what the process has no series of, nothing is said
    assert REGISTRY.get_sample_value("clarion_trouble", {"rule": "process-gone"}) is None


def test_the_begin_and_the_end_of_a_trouble_are_logged_once() -> None:
    registry = Registry(breaker=2)
    monitor = Monitor(registry.read)
    with capture_logs() as logs:
        looked(monitor, 60)
        registry.breaker = 0
        looked(monitor, 300, began=65)
    assert [(line["event"], line["rule"]) for line in logs] == [
        ("the monitor has found a trouble", "breaker-open"),
        ("a trouble that the monitor found is over", "breaker-open"),
    ]


async def test_a_look_that_fails_ends_neither_monitor_nor_process(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(breaker=2)
    registry.failure = ValueError("a gauge cannot be read")
    monitor = Monitor(registry.read)
    monkeypatch.setattr("clarion.telemetry.monitor.LOOK_EVERY_S", 0.001)
    with capture_logs() as logs:
        running = asyncio.create_task(monitor.run())
        async with asyncio.timeout(30):
            while not logs:
                await asyncio.sleep(0.001)
            registry.failure = None
            while not monitor.figures()["performance"]:
                await asyncio.sleep(0.001)
        running.cancel()
    assert logs[0]["event"] == "the monitor could not look at this process's metrics"


def test_only_the_wanted_samples_of_the_registry_are_taken() -> None:
    metrics.logs_dropped.inc(0)
    found = registered(["clarion_logs_dropped_total"])
    assert [sample.name for sample in found] == ["clarion_logs_dropped_total"]


def test_a_look_costs_less_than_a_half_percent_of_a_core() -> None:
    monitor = Monitor()
    looked(monitor, 300)
    began = time.thread_time()
    looked(monitor, 100, began=305)
    assert (time.thread_time() - began) / 20 < LOOK_EVERY_S / 200  # a fifth of this, on a quiet machine
