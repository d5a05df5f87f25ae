"""Exponential backoff with full jitter and a cap (Brooker, "Exponential Backoff and Jitter", 2015)."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, stop_never
from tenacity.wait import wait_random_exponential

from clarion.telemetry import metrics

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait after the n-th failure (from 0): uniform in [0, min(cap, base · 2ⁿ)]."""

    base_s: float = 0.1
    cap_s: float = 10.0

    def delay(self, failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        return uniform(0, min(self.cap_s, self.base_s * 2 ** min(failures, 32)))


RETRY = Backoff()


def retrying(
    dependency: str, *errors: type[Exception], within_s: float | None = None, backoff: Backoff = RETRY
) -> AsyncRetrying:
    """Try again while `errors` are raised: for ever, or until `within_s` have passed, then the last error comes out."""

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        metrics.retries.labels(dependency).inc()
        log.warning("trying again", dependency=dependency, attempt=state.attempt_number, error=repr(error))

    return AsyncRetrying(
        retry=retry_if_exception_type(errors),
        wait=wait_random_exponential(multiplier=backoff.base_s, max=backoff.cap_s),
        stop=stop_never if within_s is None else stop_after_delay(within_s),
        before_sleep=say,
        reraise=True,
    )


async def retry(
    call: Callable[[], Awaitable[T]],
    dependency: str,
    *errors: type[Exception],
    within_s: float | None = None,
    backoff: Backoff = RETRY,
) -> T:
    """Await `call()` until it succeeds, as `retrying` says; other errors come out at once."""

    async def attempt() -> T:
        return await call()

    # a coroutine function of its own: tenacity would hand a lambda's coroutine back without awaiting it
    return await retrying(dependency, *errors, within_s=within_s, backoff=backoff)(attempt)
