"""Retries that end when they should, behind a shared breaker."""

import asyncio

import pytest

from clarion.resilience.backoff import Backoff
from clarion.resilience.breaker import Breaker
from clarion.resilience.retry import retry

AT_ONCE = Backoff(base_s=0.0, cap_s=0.0)


class Flaky:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def call(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_a_transient_failure_is_tried_again() -> None:
    flaky = Flaky(OSError(), OSError())
    assert await retry(flaky.call, "thing", OSError, backoff=AT_ONCE) == "done"
    assert flaky.calls == 3


async def test_a_lambda_is_awaited() -> None:
    flaky = Flaky(OSError())
    assert await retry(lambda: flaky.call(), "thing", OSError, backoff=AT_ONCE) == "done"


async def test_another_failure_comes_out_at_once() -> None:
    flaky = Flaky(ValueError("bad"))
    with pytest.raises(ValueError, match="bad"):
        await retry(flaky.call, "thing", OSError, backoff=AT_ONCE)
    assert flaky.calls == 1


async def test_after_the_deadline_the_last_error_comes_out() -> None:
    flaky = Flaky(*[OSError("down")] * 1000)
    with pytest.raises(OSError, match="down"):
        await retry(flaky.call, "thing", OSError, within_s=0.0, backoff=AT_ONCE)
    assert flaky.calls == 1


async def test_callers_wait_behind_an_open_breaker_until_a_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clarion.resilience.retry._breakers", {"server": Breaker(least_calls=5, open_s=0.2)})
    monkeypatch.setattr("clarion.resilience.retry._LOOK_AGAIN_S", 0.01)
    calls = 0
    is_up = False

    async def call() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        if not is_up:
            raise OSError("down")
        return "done"

    waiting = [asyncio.create_task(retry(call, "server", OSError, backoff=AT_ONCE)) for _ in range(10)]
    await asyncio.sleep(0.1)
    assert 5 <= calls <= 20, "nobody hammers a server that is down"
    is_up = True
    async with asyncio.timeout(2):
        assert await asyncio.gather(*waiting) == ["done"] * 10
