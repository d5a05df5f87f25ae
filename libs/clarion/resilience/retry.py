"""Retries with backoff, behind a circuit breaker that all callers in this process share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from clarion.resilience.backoff import RETRY, Backoff
from clarion.resilience.breaker import Breaker
from clarion.telemetry import metrics

log = structlog.get_logger()

T = TypeVar("T")

_LOOK_AGAIN_S: Final = 0.25  # how often callers look at an open breaker, which closes as soon as one got through
_breakers: Final[dict[str, Breaker]] = {}  # by dependency, for the whole process


async def retry(
    call: Callable[[], Awaitable[T]],
    dependency: str,
    *errors: type[Exception],
    within_s: float | None = None,
    backoff: Backoff = RETRY,
) -> T:
    """Await `call()` and return its result. Try again after `errors`, without a limit or for `within_s` seconds.

    When that time is over, the last error is raised; an error that is not one of `errors` is raised at once. All
    callers in this process share the dependency's circuit breaker, and wait while it is open.
    """
    breaker = _breakers.setdefault(dependency, Breaker())
    began, failures = time.monotonic(), 0
    while True:
        try:
            return await _attempt(call, dependency, breaker, errors)
        except errors as error:
            if within_s is not None and time.monotonic() - began >= within_s:
                raise
            metrics.retries.labels(dependency).inc()
            log.warning(
                "a server did not answer or failed: trying again",
                dependency=dependency,
                attempt=failures + 1,
                error=repr(error),
            )
        await asyncio.sleep(backoff.delay(failures))
        failures += 1


async def _attempt(
    call: Callable[[], Awaitable[T]], dependency: str, breaker: Breaker, errors: tuple[type[Exception], ...]
) -> T:
    while wait_s := breaker.wait_s(time.monotonic()):
        await asyncio.sleep(min(wait_s, _LOOK_AGAIN_S))
    try:
        found = await call()
    except (*errors, asyncio.CancelledError):
        _note(dependency, breaker, failed=True)
        raise
    except Exception:
        _note(dependency, breaker, failed=False)  # the server has answered, if with another error
        raise
    _note(dependency, breaker, failed=False)
    return found


def _note(dependency: str, breaker: Breaker, *, failed: bool) -> None:
    before = breaker.state
    breaker.ended(time.monotonic(), failed=failed)
    metrics.breaker_state.labels(dependency).set(breaker.state)
    if breaker.state is not before:
        log.warning("a circuit breaker has changed its state", dependency=dependency, state=breaker.state.name.lower())
