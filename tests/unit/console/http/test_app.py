"""The console refuses whoever is no operator, and what cannot be meant, before it asks a server."""

from typing import Any

import httpx2
import pytest

from clarion.web.budget import Budget
from tests.unit.console.http.asking import client

TRACE = "/v1/trace/01938d5e-0000-7000-8000-000000000000"
NEEDS_MONGODB = [
    ("GET", TRACE),
    ("GET", "/v1/users/ann"),
    ("GET", "/v1/dead-letters"),
    ("GET", "/v1/dead-letters/notifications.low/0/1/00000000"),
    ("PATCH", "/v1/dead-letters/notifications.low/0/1/00000000"),
    ("POST", "/v1/dead-letters/replay"),
    ("POST", "/v1/dead-letters/purge"),
    ("GET", "/v1/audit"),
]
NEEDS_NO_SERVER = [(f"/v1/{name}") for name in ("overview", "charts", "reference/ingest")]
PATHS = [*NEEDS_MONGODB, *(("GET", path) for path in (*NEEDS_NO_SERVER, "/v1/stream"))]


def is_problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    return response.json()


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_only_an_operator_is_let_in(method: str, path: str) -> None:
    async with client("publish subscribe") as http:
        assert is_problem(await http.request(method, path, json={}), 403)["errors"][0]["limit"] == "operate"
        is_problem(await http.request(method, path, json={}, headers={"Authorization": "Bearer x"}), 401)


@pytest.mark.parametrize(("method", "path"), NEEDS_MONGODB)
async def test_without_mongodb_or_room_the_answer_is_503(method: str, path: str) -> None:
    async with client(mongodb=False) as http:
        away = await http.request(method, path, json={"all": True})
        assert "MongoDB is down" in is_problem(away, 503)["detail"]
        assert away.headers["retry-after"]
    async with client(budget=Budget(max_requests=0)) as http:
        is_problem(await http.request(method, path, json={"all": True}), 503)


@pytest.mark.parametrize("path", NEEDS_NO_SERVER)
async def test_a_console_that_is_full_answers_503(path: str) -> None:
    async with client(budget=Budget(max_requests=0)) as http:
        assert (await http.get(path)).headers["retry-after"]
        is_problem(await http.get(path), 503)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/trace/01938d5e", "a UUID of 36 characters"),
        ("/v1/trace/{01938d5e-0000-7000-8000-00000000000}", "a UUID of 36 characters"),
        ("/v1/users/" + "a" * 129, "1 to 128 characters"),
        ("/v1/users/%00", "control characters"),
    ],
)
async def test_what_cannot_be_looked_up_is_refused(path: str, says: str) -> None:
    async with client() as http:
        (error,) = is_problem(await http.get(path), 422)["errors"]
    assert (error["pointer"], error["code"]) == ("/id", "invalid")
    assert says in error["detail"]


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("reason=mine", "/reason", "unknown_value"),
        ("limit=0", "/limit", "out_of_range"),
        ("limit=1001", "/limit", "out_of_range"),
        ("since=today", "/since", "time"),
        ("since=2026-01-01T00:00:00", "/since", "timezone"),
        ("colour=red", "/colour", "unknown_field"),
        ("cursor=x", "/after", "invalid"),
    ],
)
async def test_a_wrong_parameter_is_named(query: str, pointer: str, code: str) -> None:
    async with client() as http:
        (error,) = is_problem(await http.get(f"/v1/dead-letters?{query}"), 422)["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    if code == "unknown_value":
        assert "foreign" in error["limit"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/dead-letters/purge", b"{", 400),
        ("/v1/dead-letters/purge", b"{}", 422),
        ("/v1/dead-letters/purge", b'{"filter": {}}', 422),
        ("/v1/dead-letters/purge", b'{"all": true, "ids": ["a"]}', 422),
        ("/v1/dead-letters/purge", b'{"every": true}', 422),
        ("/v1/dead-letters/purge", b" " * (512 * 1024 + 1), 413),
        ("/v1/dead-letters/replay", b'{"all": true}', 503),  # Kafka is not there
    ],
)
async def test_a_wrong_choice_is_refused(path: str, body: bytes, status: int) -> None:
    async with client() as http:
        is_problem(await http.post(path, content=body, headers={"content-type": "application/json"}), status)
