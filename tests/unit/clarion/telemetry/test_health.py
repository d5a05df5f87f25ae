"""The health of a process: probes of its servers, and what degrades it."""

import asyncio

import pytest

from clarion.telemetry import health as health_module
from clarion.telemetry.health import Health, watch


async def test_a_probe_that_fails_or_hangs_means_down_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("PROBE_EVERY_S", "PROBE_AGAIN_S"):
        monkeypatch.setattr(health_module, pause, 0.0)
    monkeypatch.setattr(health_module, "PROBE_TIMEOUT_S", 0.01)
    dependency = Health("test").dependency("mongodb")
    answers = iter(["fails", "hangs"])
    seen: list[bool | None] = []

    async def probe() -> None:
        seen.append(dependency.up)
        match next(answers, "comes"):
            case "fails":
                raise OSError("refused")
            case "hangs":
                await asyncio.Event().wait()
            case _:
                pass

    watching = asyncio.create_task(watch(dependency, probe))
    async with asyncio.timeout(10):
        while len(seen) < 4:
            await asyncio.sleep(0)
    watching.cancel()
    assert seen[:4] == [None, False, False, True]


def test_what_a_server_refuses_degrades_and_leaves_it_ready() -> None:
    health, said = Health("test", started=True), ["Kafka refuses it"]
    health.troubles.append(lambda: said[0])
    assert health.status() == ("degraded", said)
    assert (health.live(), health.unready()) == ([], [])
    health.failures.append(lambda: "stuck")
    assert health.status() == ("failing", ["stuck", *said])
    said[0] = ""
    assert health.status() == ("failing", ["stuck"])
