"""Idempotency keys: the same content again is the same notification, other content is refused."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from clarion.contracts import limits, times
from clarion.contracts.api.problems import KEY_REUSED
from clarion.web.problem_responses import Unavailable
from services.ingest.used_keys import UsedKeys
from tests.unit.ingest.fake_ingest import BATCH, GOOD, ONE, Broker, client, is_problem
from tests.unit.ingest.submitted import submit


@pytest.mark.parametrize("length", [0, limits.IDEMPOTENCY_KEY_CHARS + 1])
async def test_a_key_has_its_limits(length: int) -> None:
    async with client() as c:
        is_problem(await c.post(ONE, json=GOOD, headers={"Idempotency-Key": "k" * length}), 422)


async def test_a_key_makes_the_same_id() -> None:
    async with client() as c:
        ids = {(await c.post(ONE, json=GOOD, headers={"Idempotency-Key": "k" * 255})).json()["id"] for _ in range(2)}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"message": "y"},
        {"priority": "high"},
        {"deliver_at": times.rfc3339(times.now() + timedelta(days=1))},
        {"expires_at": times.rfc3339(times.now() + timedelta(days=1))},
        {"data": {"a": 2}},
    ],
)
async def test_a_used_key_takes_the_same_content_and_no_other(
    other: dict[str, Any],
) -> None:
    headers, broker = {"Idempotency-Key": "k"}, Broker()
    first = GOOD | {"data": {"a": 1, "b": 1}}
    async with client(broker) as c:
        id_ = (await c.post(ONE, json=first, headers=headers)).json()["id"]
        found = is_problem(await c.post(ONE, json=first | other, headers=headers), 422)
        assert (found["errors"][0]["code"], found["type"]) == ("key_reused", KEY_REUSED)
        assert id_ in found["errors"][0]["detail"]
        again = await c.post(ONE, json=first | {"data": {"b": 1, "a": 1}}, headers=headers)
        assert (again.status_code, again.json()["id"]) == (202, id_)
        for free in ({"Idempotency-Key": "k2"}, {}):
            assert (await c.post(ONE, json=first | other, headers=free)).status_code == 202
    assert len(broker.taken) == 4


async def test_a_used_key_refuses_only_what_has_changed() -> None:
    headers, broker = {"Idempotency-Key": "k", "Content-Type": "application/x-ndjson"}, Broker()
    lines = [GOOD | {"recipient": name} for name in "abc"]
    changed = [lines[0], lines[1] | {"message": "y"}, lines[2]]
    async with client(broker) as c:
        await c.post(BATCH, content=b"\n".join(map(msgspec.json.encode, lines)), headers=headers)
        answer = await c.post(BATCH, content=b"\n".join(map(msgspec.json.encode, changed)), headers=headers)
        found = [msgspec.json.decode(line) for line in answer.content.splitlines()]
        assert [line["status"] for line in found] == [202, 422, 202]
        assert found[1]["errors"][0]["code"] == "key_reused"
        many = {"type": "a", "message": "x", "recipients": ["a", "b"]}
        assert (await c.post(ONE, json=many, headers={"Idempotency-Key": "k"})).status_code == 202
        is_problem(await c.post(ONE, json=many | {"message": "y"}, headers={"Idempotency-Key": "k"}), 422)


async def test_a_key_is_used_once_its_content_may_have_arrived() -> None:
    broker, headers = Broker(Unavailable("Kafka is down")), {"Idempotency-Key": "k"}
    async with client(broker) as c:
        is_problem(await c.post(ONE, json=GOOD, headers=headers), 503)
        broker.outcome = False
        is_problem(await c.post(ONE, json=GOOD | {"message": "y"}, headers=headers), 503)
        broker.outcome = None
        is_problem(await c.post(ONE, json=GOOD, headers=headers), 422)
        assert (await c.post(ONE, json=GOOD | {"message": "y"}, headers=headers)).status_code == 202


def test_only_the_latest_keys_are_remembered() -> None:
    used, items = UsedKeys(most=3), [submit(key=str(number), recipient="a")[0] for number in range(5)]
    for item in items:
        with used.using([item]):
            pass
    assert len(used) == 3
    others = [submit(key=str(number), recipient="a", message="other")[0] for number in range(5)]
    assert [used.conflict(item) is not None for item in others] == [False, False, True, True, True]
