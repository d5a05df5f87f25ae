"""The overview over HTTP: at once, as events, and no longer than the token is good."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from starlette.requests import Request

from clarion.contracts.topics import Names
from clarion.security.tokens import Claims, TokenError, mint
from clarion.telemetry.health import Dependency
from clarion.web.budget import Budget
from services.console import live as module
from services.console.desk import Desk
from services.console.documents import Documents
from services.console.http import overview_routes
from services.console.live import Live
from tests.unit.console.http.asking import SETTINGS, answers, client, gateway


@asynccontextmanager
async def looking(live: Live) -> AsyncGenerator[Live]:
    running = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        running.cancel()
        await asyncio.wait([running])


class Check:
    """A check of tokens by which a token is good for so many requests."""

    def __init__(self, good_for: int) -> None:
        self.left = good_for

    async def verify(self, token: str) -> Claims:
        self.left -= 1
        if self.left < 0:
            raise TokenError("the token has expired")
        return Claims("op", frozenset({"operate"}), 0)


def events(live: Live, check: Check) -> AsyncGenerator[bytes]:
    nothing: Any = None
    away = Dependency("mongodb")
    desk = Desk(SETTINGS, nothing, Names(), away, away, nothing, Budget(), live, Documents({}))
    headers = [(b"authorization", f"Bearer {mint(SETTINGS, sub='op', scope='operate')}".encode())]
    request = Request({"type": "http", "headers": headers, "query_string": b"", "path": "/v1/stream"})
    return overview_routes._events(request, check, desk)


async def test_the_overview_and_the_charts_need_no_server() -> None:
    told = Live(answers([gateway("gateway-1", connections=5)]))
    async with looking(told) as live, client(live=live, mongodb=False) as http:
        overview, charts = await http.get("/v1/overview"), await http.get("/v1/charts")
    assert overview.headers["cache-control"] == charts.headers["cache-control"] == "no-store"
    assert overview.json()["figures"]["connections"] is None  # no metric says so
    assert overview.json()["gateways"][0]["connections"] == 5
    assert len(charts.json()["series"]) == len(charts.json()["points"][0]["values"])


async def test_each_look_is_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCHED_EVERY_S", 0.02)
    async with looking(Live(answers([gateway("gateway-1")], [gateway("gateway-2")]))) as live:
        with live.viewing():
            told = events(live, Check(100))
            first, second = await anext(told), await anext(told)
    names = [msgspec.json.decode(one.removeprefix(b"data: "))["gateways"][0]["name"] for one in (first, second)]
    assert names == ["gateway-1", "gateway-2"]
    assert first.endswith(b"\n\n")


async def test_a_stream_ends_with_its_token_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCHED_EVERY_S", 0.02)
    async with looking(Live(answers([gateway("gateway-1")]))) as live:
        with live.viewing():
            told = [event async for event in events(live, Check(2))]
    assert len(told) == 3
    assert told[-1] == b'event: close\ndata: {"code":4401,"reason":"the token has expired"}\n\n'


async def test_a_stream_that_has_nothing_to_say_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview_routes, "STILL_HERE_S", 0.01)
    assert await anext(events(Live(answers([])), Check(9))) == b": still here\n\n"


async def test_a_console_that_ends_lets_its_streams_go() -> None:
    live = Live(answers([]))
    live.end()
    told = [event async for event in events(live, Check(9))]
    assert told == [b'event: close\ndata: {"code":1001,"reason":"this console ends: connect again"}\n\n']


async def test_a_viewer_too_many_is_told_to_try_again() -> None:
    async with client(live=Live(answers([]), most=0)) as http:
        refused = await http.get("/v1/stream")
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert refused.headers["retry-after"]
