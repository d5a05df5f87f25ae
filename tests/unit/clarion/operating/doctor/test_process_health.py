from typing import Any

import pytest

from clarion.operating import samples
from clarion.operating.doctor import process_health
from clarion.operating.doctor.check import Result, Skip
from clarion.operating.processes import ProcessView
from clarion.operating.system_health import NEEDED, USED
from clarion.settings import Settings
from tests.unit.clarion.operating.answering import answering


class FakeSystem:
    """What processes answer, without asking any."""

    def __init__(self, *views: ProcessView, prometheus: str = "") -> None:
        self.settings = Settings(env="dev", prometheus=prometheus)
        self._views = views

    async def processes(self) -> tuple[ProcessView, ...]:
        return self._views

    answering = processes


def view(name: str, metrics: str = "", url: str = "", status: str = "ok", reasons: tuple[str, ...] = ()) -> ProcessView:
    exported = samples.parse(metrics)
    return ProcessView(name, url or f"http://{name}:9400", status=status, reasons=reasons, unready=(), samples=exported)


def system(*views: ProcessView, prometheus: str = "") -> Any:
    return FakeSystem(*views, prometheus=prometheus)


def stage(
    lane: str, seconds: str, count: int, name: str = "clarion_stage_seconds", labels: str = ',stage="store"'
) -> str:
    buckets = {"0.1": 0, seconds: count, "+Inf": count}
    return "".join(f'{name}_bucket{{lane="{lane}"{labels},le="{le}"}} {n}\n' for le, n in buckets.items())


async def test_a_process_that_does_not_answer_fails() -> None:
    roles = [view(role) for role in (*NEEDED, *USED)]
    assert (await process_health.health(system(*roles))).result is Result.OK
    outcome = await process_health.health(system(*roles, view("gateway-2", status="")))
    assert outcome.result is Result.FAILED
    assert "gateway-2" in outcome.evidence
    degraded = view("gateway-2", status="degraded", reasons=("kafka is down",))
    assert (await process_health.health(system(*roles, degraded))).result is Result.WARNING


async def test_much_memory_is_a_warning_that_names_the_process() -> None:
    small, large = (
        view("low", "process_resident_memory_bytes 5e7\n"),
        view("high", "process_resident_memory_bytes 2e9\n"),
    )
    assert (await process_health.memory(system(small))).result is Result.OK
    outcome = await process_health.memory(system(small, large))
    assert outcome.result is Result.WARNING
    assert "high at high:9400 has 1,907 MiB" in outcome.evidence


async def test_memory_that_grows_is_found_through_prometheus() -> None:
    grown = {"status": "success", "data": {"result": [{"metric": {"instance": "low:9400"}, "value": [0, "2.5"]}]}}
    async with answering({"/api/v1/query": grown}) as url:
        small = view("low", "process_resident_memory_bytes 5e7\n")
        outcome = await process_health.memory(system(small, prometheus=url))
    assert outcome.result is Result.WARNING
    assert "low:9400 has 2.5 times as much" in outcome.evidence


async def test_a_stage_that_takes_half_of_the_objective_is_slow() -> None:
    outcome = await process_health.stages(system(view("urgent", stage("urgent", "0.25", 100))))
    assert outcome.result is Result.WARNING
    assert "spends up to 0.25 s in store" in outcome.evidence
    for fine in (stage("urgent", "0.25", 99), stage("low", "0.25", 100)):
        assert (await process_health.stages(system(view("urgent", fine)))).result is Result.OK


async def test_deliveries_beyond_the_objective_are_slow() -> None:
    late = stage("high", "1.0", 500, "clarion_delivery_seconds", "")
    outcome = await process_health.stages(system(view("gateway", late)))
    assert outcome.result is Result.WARNING
    assert "is 1 s in high" in outcome.evidence


async def test_rules_that_hold_are_named() -> None:
    rules = 'clarion_trouble{rule="slow_store"} 1\nclarion_trouble{rule="hot_recipient"} 0\n'
    outcome = await process_health.troubles(system(view("low", rules)))
    assert outcome.result is Result.WARNING
    assert "slow_store at low" in outcome.evidence
    assert "hot_recipient" not in outcome.evidence
    with pytest.raises(Skip):
        await process_health.troubles(system(view("low", "clarion_stored_total 1\n")))


async def test_a_process_that_is_not_scraped_is_named() -> None:
    targets = [{"scrapeUrl": "http://10.0.0.1:9400/metrics", "health": "up"}]
    targets += [{"scrapeUrl": "http://10.0.0.2:9400/metrics", "health": "down", "lastError": "refused"}]
    one, two = view("low", url="http://10.0.0.1:9400"), view("high", url="http://10.0.0.2:9400")
    three = view("urgent", url="http://10.0.0.3:9400")
    async with answering({"/api/v1/targets": {"data": {"activeTargets": targets}}}) as url:
        assert (await process_health.monitoring(system(one, prometheus=url))).result is Result.OK
        down = await process_health.monitoring(system(one, two, prometheus=url))
        unknown = await process_health.monitoring(system(one, three, prometheus=url))
    assert (down.result, "refused" in down.evidence) == (Result.FAILED, True)
    assert (unknown.result, "urgent at 10.0.0.3:9400" in unknown.evidence) == (Result.WARNING, True)
    with pytest.raises(Skip, match="CLARION_PROMETHEUS"):
        await process_health.monitoring(system(one))
