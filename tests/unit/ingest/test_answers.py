"""Answers of ingest are counted by status, each line of a batch by its own."""

import msgspec
import pytest
from prometheus_client import REGISTRY

from clarion.telemetry import metrics
from clarion.web.problem_responses import Unavailable
from tests.unit.ingest.fake_ingest import BATCH, GOOD, ONE, Broker, client


@pytest.fixture(autouse=True)
def _exported() -> None:
    metrics.INGEST.export()


def answered() -> dict[str, float]:
    return {
        sample.labels["status"]: sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "clarion_answered_total"
    }


def added(before: dict[str, float]) -> dict[str, float]:
    return {
        status: count - before.get(status, 0) for status, count in answered().items() if count != before.get(status)
    }


async def test_an_answer_is_counted_by_its_status() -> None:
    async with client() as c:
        before = answered()
        await c.post(ONE, json=GOOD)
        await c.post(f"{ONE}/", json=GOOD)
        await c.post(ONE, json={})
        await c.get(f"{ONE}/019b7d3e-5c00-7abc-8def-0123456789ab")
    assert added(before) == {"202": 2, "422": 1}


async def test_a_request_that_kafka_does_not_take_counts_as_503() -> None:
    async with client(Broker(Unavailable("Kafka is down"))) as c:
        before = answered()
        await c.post(ONE, json=GOOD)
        await c.post(BATCH, content=b"{}", headers={"Content-Type": "application/x-ndjson"})
    assert added(before)["503"] == 1


@pytest.mark.parametrize("taken", [True, False])
async def test_each_line_of_a_batch_counts(taken: bool) -> None:
    lines = b"\n".join(map(msgspec.json.encode, (GOOD, {"type": "!"}, GOOD)))
    async with client(Broker(taken)) as c:
        before = answered()
        await c.post(BATCH, content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert added(before) == {"202" if taken else "503": 2, "422": 1}
