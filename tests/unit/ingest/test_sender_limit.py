"""A sender's limit: what counts against it, and when to come back."""

from types import SimpleNamespace

import msgspec
import pytest

from clarion.contracts import limits
from clarion.contracts.ids import new_id
from clarion.telemetry import metrics
from services.ingest import sender_limit
from services.ingest.sender_limit import SenderLimit
from tests.unit.counted import counted
from tests.unit.ingest.fake_ingest import MINE, ONE, Broker, client, is_problem

TO_ANN = {"type": "t", "message": "m", "recipient": "ann"}


@pytest.fixture(autouse=True)
def _stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token comes back while a test takes its time."""
    monkeypatch.setattr(sender_limit, "time", SimpleNamespace(monotonic=lambda: 1_000.0))


async def test_a_sender_over_its_rate_is_told_when_to_come_back() -> None:
    broker = Broker()
    async with client(broker, limit=SenderLimit(rate=0.5, burst=3)) as http:
        for _ in range(5):
            is_problem(await http.post("/v1/notifications", json=TO_ANN | {"type": "NOT A TYPE"}), 422)
        many = {"type": "t", "message": "m", "recipients": ["ann", "bob"]}
        assert (await http.post("/v1/notifications", json=many)).status_code == 202
        refused = await http.post("/v1/notifications", json=many)
        found = is_problem(refused, 429)
        assert found["errors"][0]["limit"] == "0.5/s"
        assert refused.headers["retry-after"] == "2"
        assert (await http.post("/v1/notifications", json=TO_ANN)).status_code == 202  # one token was left
        beyond = is_problem(await http.post("/v1/notifications", json=many | {"recipients": list("abcd")}), 422)
        assert (beyond["errors"][0]["pointer"], beyond["errors"][0]["limit"]) == ("/recipients", 3)
    assert len(broker.taken) == 3


async def test_lines_beyond_the_senders_rate_have_their_own_status() -> None:
    broker = Broker()
    lines = [TO_ANN, TO_ANN | {"type": "NOT A TYPE"}, TO_ANN, TO_ANN]
    body = b"\n".join(msgspec.json.encode(line) for line in lines)
    before = counted(metrics.rate_limited, "sender_rate")
    async with client(broker, limit=SenderLimit(rate=0.5, burst=2)) as http:
        answer = await http.post(
            "/v1/notifications/batch", content=body, headers={"Content-Type": "application/x-ndjson"}
        )
    assert answer.status_code == 200
    assert counted(metrics.rate_limited, "sender_rate") == before + 1
    assert answer.headers["retry-after"] == "2"
    assert [msgspec.json.decode(line)["status"] for line in answer.content.splitlines()] == [202, 422, 202, 429]
    assert len(broker.taken) == 2


async def test_retractions_of_what_is_not_found_are_limited() -> None:
    """Each leaves a stub for days. What is found has no such limit, and another sender has its own."""
    broker = Broker()
    async with client(broker) as c, client(broker, sub="other") as other:
        for _ in range(limits.UNFOUND_BURST):
            assert (await c.delete(f"{ONE}/{new_id()}")).status_code == 202
        refused = await c.delete(f"{ONE}/{new_id()}")
        assert is_problem(refused, 429)["errors"][0]["limit"] == "1/s"
        assert int(refused.headers["retry-after"]) == 1
        assert len(broker.told) == limits.UNFOUND_BURST
        assert (await c.delete(f"{ONE}/{MINE.id}")).status_code == 202
        assert (await other.delete(f"{ONE}/{new_id()}")).status_code == 202


async def test_questions_and_retractions_count_for_the_senders_limit() -> None:
    async with client(limit=SenderLimit(1, 2)) as c:
        statuses = [(await c.delete(f"{ONE}/{MINE.id}")).status_code for _ in range(3)]
        assert statuses == [202, 202, 429]
        assert (await c.get(f"{ONE}/{MINE.id}")).status_code == 429
