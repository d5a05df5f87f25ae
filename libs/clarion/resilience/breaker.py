"""A circuit breaker by error rate: callers leave a failing server alone for a while (Nygard, "Release It!", 2007).

Backoff makes one caller wait between its own tries. The breaker makes all callers of a process wait together, and lets
one of them try whether the server is back.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class BreakerState(IntEnum):
    """Whether calls may go. The numbers are those of the metric `clarion_breaker_state`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(slots=True)
class _Second:
    """The calls that ended within one second."""

    number: int
    calls: int = 0
    failures: int = 0


class Breaker:
    """Opens when `error_rate` of at least `least_calls` have failed within `window_s`; half-open after `open_s`.

    Pure: time is passed in, in seconds. It keeps a count for each second of the last `window_s`.
    """

    def __init__(
        self, *, error_rate: float = 0.5, least_calls: int = 20, window_s: int = 10, open_s: float = 5.0
    ) -> None:
        self._error_rate: Final = error_rate
        self._least_calls: Final = least_calls
        self._window_s: Final = window_s
        self._open_s: Final = open_s
        self._seconds: list[_Second] = []
        self._opened_at = 0.0
        self._probed_at: float | None = None
        self.state = BreakerState.CLOSED

    def wait_s(self, now: float) -> float:
        """Return how many seconds to wait before asking again; after 0 a call may go, and `ended` must follow it.

        While half-open, one call may go at a time. One that never ends holds up the others for `open_s` at most.
        """
        if self.state is BreakerState.CLOSED:
            return 0.0
        free_at = (self._opened_at if self._probed_at is None else self._probed_at) + self._open_s
        if now < free_at and (self.state is BreakerState.OPEN or self._probed_at is not None):
            return free_at - now
        self.state, self._probed_at = BreakerState.HALF_OPEN, now
        return 0.0

    def ended(self, now: float, *, failed: bool) -> None:
        """Note that a call has ended which `wait_s` let go."""
        if self.state is not BreakerState.CLOSED:
            self._settle(now, failed=failed)
            return
        second = self._second(int(now))
        second.calls += 1
        second.failures += failed
        calls = sum(s.calls for s in self._seconds)
        failures = sum(s.failures for s in self._seconds)
        if calls >= self._least_calls and failures >= self._error_rate * calls:
            self._open(now)

    def _settle(self, now: float, *, failed: bool) -> None:
        """Close after a success of any call, since the server answers. Open again after a failure while half-open."""
        if not failed:
            self.state, self._probed_at = BreakerState.CLOSED, None
            self._seconds.clear()
        elif self.state is BreakerState.HALF_OPEN:
            self._open(now)

    def _open(self, now: float) -> None:
        self.state, self._opened_at, self._probed_at = BreakerState.OPEN, now, None

    def _second(self, number: int) -> _Second:
        self._seconds = [s for s in self._seconds if s.number > number - self._window_s]
        if not self._seconds or self._seconds[-1].number != number:
            self._seconds.append(_Second(number))
        return self._seconds[-1]
