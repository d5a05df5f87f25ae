"""One task looks for all who watch: faster while somebody does, and whatever happens to single looks."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest

from clarion.operating.processes import ProcessView
from clarion.web.budget import Full
from clarion.web.problem_responses import Unavailable
from services.console import live as module
from services.console.live import Live
from tests.unit.console.http.asking import answers, gateway, nobody


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCHED_EVERY_S", 0.02)
    monkeypatch.setattr(module, "_FIRST_WITHIN_S", 0.5)


@asynccontextmanager
async def looking(live: Live) -> AsyncGenerator[Live]:
    running = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_all_who_watch_get_the_same_bytes_of_one_look() -> None:
    async with looking(Live(answers([gateway("gateway-1", connections=3)]))) as live:
        with live.viewing(), live.viewing():
            first, second = await asyncio.gather(live.after(0, 5), live.after(0, 5))
    assert first is not None
    assert second is not None
    assert first.overview is second.overview
    assert msgspec.json.decode(first.overview)["gateways"][0]["connections"] == 3


async def test_who_watches_gets_each_look_and_the_newest_after_a_pause() -> None:
    async with looking(Live(answers([gateway("gateway-1")]))) as live:
        with live.viewing():
            first = await live.after(0, 5)
            assert first is not None
            await asyncio.sleep(0.2)
            later = await live.after(first.number, 5)
    assert later is not None
    assert later.number > first.number + 1


async def test_without_viewers_looks_are_rare_until_somebody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_EVERY_S", 60)
    async with looking(Live(answers([gateway("gateway-1")]))) as live:
        first = await live.after(0, 5)
        assert first is not None
        await asyncio.sleep(0.1)
        assert await live.after(first.number, 0.1) is None
        with live.viewing():
            later = await live.after(first.number, 5)
    assert later is not None


async def test_a_look_that_fails_is_followed_by_the_next() -> None:
    failures = [OSError("no addresses"), ValueError("odd")]

    async def ask() -> list[ProcessView]:
        if failures:
            raise failures.pop()
        return [gateway("gateway-1")]

    async with looking(Live(ask)) as live:
        with live.viewing():
            assert await live.after(0, 5)


async def test_viewers_are_bounded_and_leave_their_place() -> None:
    live = Live(nobody, most=2)
    with live.viewing():
        with live.viewing(), pytest.raises(Full):
            live.viewing().__enter__()
        with live.viewing():
            assert live.viewers == 2
    assert live.viewers == 0


async def test_an_old_overview_is_looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_EVERY_S", 60)
    monkeypatch.setattr(module, "_FRESH_S", 0.05)
    rounds = answers([gateway("gateway-1", connections=1)], [gateway("gateway-1", connections=2)])
    async with looking(Live(rounds)) as live:
        first = await live.now()
        await asyncio.sleep(0.1)
        second = await live.now()
    counts = [msgspec.json.decode(seen.overview)["gateways"][0]["connections"] for seen in (first, second)]
    assert counts == [1, 2]


async def test_before_the_first_look_there_is_nothing_to_show() -> None:
    with pytest.raises(Unavailable, match="no process was asked yet"):
        await Live(nobody).now()


async def test_all_who_watch_are_let_go_at_the_end() -> None:
    live = Live(nobody)
    waiting = asyncio.create_task(live.after(0, 60))
    await asyncio.sleep(0)
    live.end()
    assert await waiting is None
