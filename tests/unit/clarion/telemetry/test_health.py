"""The health of a process: probes of its servers, and what degrades it."""

import asyncio

from clarion.telemetry.health import Health, watch


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


def test_what_a_server_refuses_degrades_and_leaves_it_ready() -> None:
    health, said = Health("test", started=True), ["Kafka refuses it"]
    health.troubles.append(lambda: said[0])
    assert health.status() == ("degraded", said)
    assert (health.live(), health.unready()) == ([], [])
    health.failures.append(lambda: "stuck")
    assert health.status() == ("failing", ["stuck", *said])
    said[0] = ""
    assert health.status() == ("failing", ["stuck"])
