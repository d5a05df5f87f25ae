"""A server that comes and goes is told as irregular, once; what depends on it still hears of each change at once."""

import asyncio
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from clarion.telemetry.flicker import STEADY_S
from clarion.telemetry.health import Dependency, Health, watch

FROZEN = "the server did not answer within 2 s"


def flicker(dependency: Dependency, seconds: int, began: int = 0) -> list[tuple[bool | None, str]]:
    """Away for 3 s of every 6, looked at each second: what `up` was and what a report said."""
    seen: list[tuple[bool | None, str]] = []
    for now in range(began, began + seconds):
        dependency.seen(FROZEN if now % 6 >= 3 else "", now)
        seen.append((dependency.up, dependency.trouble(now)))
    return seen


def test_ten_minutes_of_flicker_are_told_a_few_times() -> None:
    dependency = Dependency("mongodb")
    with capture_logs() as said:
        seen = flicker(dependency, 600)
    assert len(said) <= 5
    assert said[-1]["event"] == "a dependency answers irregularly"
    troubles = [trouble for _, trouble in seen]
    assert sum(one != other for one, other in pairwise(troubles)) <= 3
    assert troubles[-1] == f"mongodb answers irregularly: {FROZEN}"


def test_what_depends_on_it_hears_of_each_change_at_once() -> None:
    seen = flicker(Dependency("mongodb"), 60)
    assert [up for up, _ in seen] == [now % 6 < 3 for now in range(60)]


def test_it_is_up_or_down_once_it_was_for_a_while() -> None:
    for error, state in (("", "is up"), (FROZEN, "is down")):
        dependency = Dependency("mongodb")
        flicker(dependency, 60)
        with capture_logs() as said:
            for now in range(60, 60 + int(STEADY_S) + 5):
                dependency.seen(error, now)
        assert dependency.state(60 + STEADY_S + 5) == state
        assert [line["event"] for line in said] == [f"a dependency {state}"]


def test_one_outage_is_told_as_before() -> None:
    dependency = Dependency("kafka")
    with capture_logs() as said:
        for now in range(100):
            dependency.seen("no broker answers" if 40 <= now < 60 else "", now)
    assert [line["event"] for line in said] == ["a dependency is up", "a dependency is down", "a dependency is up"]
    assert said[1]["error"] == "no broker answers"


class _OperationCancelled(Exception):
    """As pymongo's, which says nothing to a person."""


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (
            _OperationCancelled("operation cancelled"),
            "mongodb is down: the server could not be asked; the log has the cause",
        ),
        (TimeoutError(), "mongodb is down: the server did not answer within 2 s"),
    ],
)
async def test_whatever_a_driver_raises_the_reason_is_in_words(failure: Exception, reason: str) -> None:
    health = Health("test", started=True)
    asked = asyncio.Event()

    async def probe() -> None:
        asked.set()
        raise failure

    watching = asyncio.create_task(watch(health.dependency("mongodb"), probe))
    try:
        await asked.wait()
        await asyncio.sleep(0)
        assert health.status() == ("degraded", [reason])
    finally:
        watching.cancel()


def test_health_is_degraded_while_a_server_comes_and_goes() -> None:
    health = Health("test", started=True)
    for error in ("", FROZEN, "", FROZEN, ""):
        health.dependency("mongodb").seen(error)
    assert health.status() == ("degraded", [f"mongodb answers irregularly: {FROZEN}"])
    assert health.unready() == []
