"""The routes of ingest: who is refused, with what, and what is given back."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from clarion.contracts import limits
from clarion.security.tokens import mint
from clarion.web import bodies
from clarion.web.budget import Budget
from clarion.web.problem_responses import Unavailable
from tests.unit.ingest.fake_ingest import BATCH, GOOD, MINE, ONE, SETTINGS, Broker, client, is_problem


async def test_one_answers_an_id_and_many_answer_ids() -> None:
    async with client() as c:
        one = await c.post(ONE, json=GOOD)
        many = await c.post(ONE, json={"type": "a", "message": "x", "recipients": ["bob"]})
    assert one.status_code == many.status_code == 202
    assert set(one.json()) == {"id"}
    assert len(many.json()["ids"]) == 1


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({"Authorization": ""}, "Bearer"),
        ({"Authorization": "Basic x"}, "Bearer"),
        ({"Authorization": "Bearer x"}, 'Bearer error="invalid_token"'),
        ({"Authorization": "Bearer " + mint(SETTINGS, sub="svc", scope="publish", ttl_s=-60)}, "invalid_token"),
    ],
)
async def test_without_a_valid_token_nobody_gets_in(headers: dict[str, str], challenge: str) -> None:
    async with client() as c:
        response = await c.post(ONE, json=GOOD, headers=headers)
    is_problem(response, 401)
    assert challenge in response.headers["www-authenticate"]


async def test_a_token_that_may_not_publish_is_told_what_it_lacks() -> None:
    async with client(scope="subscribe") as c:
        response = await c.post(ONE, json=GOOD)
    assert is_problem(response, 403)["errors"][0]["limit"] == "publish"
    assert "insufficient_scope" in response.headers["www-authenticate"]


async def test_a_foreign_sender_needs_publish_any() -> None:
    async with client() as c, client(scope="publish:any") as operator:
        assert is_problem(await c.post(ONE, json=GOOD | {"sender": "z"}), 403)["errors"][0]["pointer"] == "/sender"
        assert (await operator.post(ONE, json=GOOD | {"sender": "z"})).status_code == 202


@pytest.mark.parametrize(
    ("path", "content_type", "encoding"),
    [
        (ONE, "text/plain", "identity"),
        (ONE, "application/x-ndjson", "identity"),
        (BATCH, "application/json", "identity"),
        (ONE, "application/json", "gzip"),
    ],
)
async def test_another_content_type_is_refused(path: str, content_type: str, encoding: str) -> None:
    headers = {"Content-Type": content_type, "Content-Encoding": encoding}
    async with client() as c:
        is_problem(await c.post(path, content=b"{}", headers=headers), 415)
        accepted = await c.post(ONE, json=GOOD, headers={"Content-Type": "application/json; charset=utf-8"})
    assert accepted.status_code == 202


async def test_not_json_is_400_and_invalid_is_422() -> None:
    async with client() as c:
        is_problem(await c.post(ONE, content=b"{"), 400)
        error = is_problem(await c.post(ONE, json=GOOD | {"priority": "huge"}), 422)["errors"][0]
    assert (error["pointer"], error["code"], error["limit"]) == ("/priority", "unknown_value", "urgent|high|normal|low")


async def test_a_body_above_the_limit_is_refused_even_without_a_length() -> None:
    budget = Budget()
    pieces = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal pieces
        while True:
            pieces += 1
            yield b"x" * 10_000

    async with client(budget=budget) as c:
        error = is_problem(await c.post(ONE, content=b"x" * (limits.BODY_BYTES + 1)), 413)["errors"][0]
        assert error["limit"] == limits.BODY_BYTES
        is_problem(await c.post(ONE, content=endless()), 413)
        is_problem(await c.post(ONE, content=b"x" * limits.BODY_BYTES), 400)
    assert pieces <= limits.BODY_BYTES / 10_000 + 2
    assert budget.held == 0


async def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "READ_WITHIN_S", 0.05)

    async def stuck() -> AsyncGenerator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with client(budget=(budget := Budget())) as c:
        is_problem(await c.post(ONE, content=stuck()), 408)
    assert (budget.held, budget.requests) == (0, 0)


@pytest.mark.parametrize("path", [ONE, BATCH, f"{ONE}/{MINE.id}", "/openapi.json"])
async def test_no_path_is_redirected_for_a_slash_at_its_end(path: str) -> None:
    """Behind a proxy a redirect would name `http` and the proxy's inner host, and tokens would follow it."""
    method = "POST" if path in (ONE, BATCH) else "GET"
    async with client() as c:
        without, with_slash, with_two = [
            await c.request(method, path + end, content=msgspec.json.encode(GOOD)) for end in ("", "/", "//")
        ]
    assert with_slash.status_code == without.status_code
    assert "location" not in with_slash.headers
    assert with_two.status_code == 404


async def test_unknown_paths_and_methods_are_problems_too() -> None:
    async with client() as c:
        is_problem(await c.get("/nope"), 404)
        response = await c.get(ONE)
    is_problem(response, 405)
    assert "POST" in response.headers["allow"]


async def test_an_unexpected_error_reveals_nothing() -> None:
    async with client(Broker(RuntimeError("password is hunter2"))) as c:
        response = await c.post(ONE, json=GOOD)
    assert "hunter2" not in response.text
    is_problem(response, 500)


@pytest.mark.parametrize("outcome", [Unavailable("down"), False])
async def test_what_kafka_did_not_acknowledge_is_503_with_retry_after(outcome: Any) -> None:
    async with client(Broker(outcome)) as c:
        response = await c.post(ONE, json=GOOD)
    is_problem(response, 503)
    assert int(response.headers["retry-after"]) > 0


async def test_beyond_the_budget_it_refuses_at_once_and_recovers() -> None:
    broker, budget = Broker(), Budget(max_requests=1)
    broker.go.clear()
    async with client(broker, budget) as c:
        first = asyncio.create_task(c.post(ONE, json=GOOD))
        await broker.entered.wait()
        refused = await c.post(ONE, json=GOOD)
        is_problem(refused, 503)
        assert refused.headers["retry-after"]
        broker.go.set()
        assert (await first).status_code == 202
        assert (await c.post(ONE, json=GOOD)).status_code == 202
    async with client(budget=(small := Budget(max_bytes=10))) as c:
        is_problem(await c.post(ONE, json=GOOD), 503)
    assert small.held == small.requests == 0


async def test_the_openapi_document_is_served() -> None:
    async with client() as c:
        assert (await c.get("/openapi.json")).json()["openapi"] == "3.1.0"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5_000])
@pytest.mark.parametrize(
    "field", ['"v":{}', '"data":{{"a":[{}]}}', '"expires_at":{}', '"message":{}', '"recipients":[{}]']
)
async def test_a_number_that_no_float_holds_is_refused_by_name(number: str, field: str) -> None:
    fields = field.format(number)
    body = f'{{"type":"a","recipient":"bob",{fields}}}'.encode()
    async with client() as http:
        answer = await http.post(ONE, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["pointer"].startswith("/" + field.split('"')[1])
    assert "out of range" in error["detail"]
