from typing import Any

import pytest

from clarion.operating import prometheus
from tests.unit.clarion.operating.answering import answering

TARGET: dict[str, Any] = {
    "scrapeUrl": "http://10.0.0.1:9400/metrics",
    "health": "down",
    "lastError": "refused",
    "labels": {},
}
VECTOR: dict[str, Any] = {"resultType": "vector", "result": [{"metric": {"instance": "a"}, "value": [1.5, "2.5"]}]}


async def test_targets_and_series_are_read() -> None:
    answers: dict[str, Any] = {
        "/api/v1/targets": {"status": "success", "data": {"activeTargets": [TARGET], "droppedTargets": []}},
        "/api/v1/query": {"status": "success", "data": VECTOR},
    }
    async with answering(answers) as url:
        (target,) = await prometheus.targets(url + "/")
        (series,) = await prometheus.query(url, "up")
    assert (target.url, target.is_up, target.error) == (TARGET["scrapeUrl"], False, "refused")
    assert series == ({"instance": "a"}, 2.5)


async def test_what_is_no_prometheus_is_told() -> None:
    async with answering({"/api/v1/targets": "<html>"}) as url:
        with pytest.raises(prometheus.Unreachable, match="not Prometheus'"):
            await prometheus.targets(url)
    with pytest.raises(prometheus.Unreachable):
        await prometheus.targets("http://127.0.0.1:1")
