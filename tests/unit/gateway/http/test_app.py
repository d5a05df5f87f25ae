"""Every answer of the gateway's application, errors too, may be read by pages of the origins it serves."""

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clarion.settings import Settings
from clarion.web.problem_responses import Refused, Unavailable
from services.gateway.http.app import make_app

ORIGIN = "https://app.example"
FAILURES = {
    "429": Refused(429, "too often", headers={"Retry-After": "1"}),
    "500": RuntimeError("x"),
    "503": Unavailable("x"),
}


async def fail(request: Request) -> Response:
    raise FAILURES[request.path_params["how"]]


@pytest.mark.parametrize("path", ["/429", "/500", "/503", "/nothing/404"])
async def test_an_error_is_a_problem_and_its_page_may_read_it(path: str) -> None:
    app = make_app(Settings(env="dev", jwt_secret="s" * 32, origins=ORIGIN), [Route("/{how}", fail)])
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as http:
        answer = await http.get(path, headers={"Origin": ORIGIN})
        foreign = await http.get(path, headers={"Origin": "https://evil.example"})
    assert str(answer.status_code) == path[-3:]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("access-control-allow-origin") == ORIGIN
    assert "access-control-allow-origin" not in foreign.headers
    assert answer.json().get("type", "none").startswith("urn:clarion:problem:")


async def test_a_preflight_that_is_refused_is_a_problem_too() -> None:
    app = make_app(Settings(env="dev", jwt_secret="s" * 32, origins=ORIGIN), [Route("/{how}", fail)])
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as http:
        answer = await http.options("/429", headers=asked)
        fine = await http.options("/429", headers=asked | {"Access-Control-Request-Method": "POST"})
    assert (answer.status_code, fine.status_code) == (400, 200)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:clarion:problem:malformed"
    assert "method" in answer.json()["detail"]
    assert answer.headers["access-control-allow-origin"] == ORIGIN
