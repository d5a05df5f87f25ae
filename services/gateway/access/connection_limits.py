"""Who comes in: refused before the upgrade, a client costs a line of text and no connection."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from clarion.resilience.gcra import RateLimit
from clarion.security.address_counter import AddressCounter
from clarion.settings import Settings
from clarion.telemetry import metrics

SOON_S: Final = 2  # for a client that is refused for a reason that passes
LATER_S: Final = 10  # for one whose address, or this gateway, has too many connections
LONGEST_LINE_S: Final = 30
_BURST_S: Final = 0.1  # of the rate, at once: a loop that was busy for a moment finds that many waiting
_ANYBODY: Final = ""
_ADDRESSES: Final = 20_000  # whose rate is known; more of them are held up by the common rate


@dataclass(frozen=True, slots=True)
class Refusal:
    status: HTTPStatus
    detail: str
    retry_after_s: int | None = None


class ConnectionLimits:
    """Limits of connections and of upgrades a second, at this gateway and from an address; 0 is no limit.

    An address has its own rate before the common one, so that none takes the turns of all; as many as it may have
    connections may come at once. Without a limit of these it has no rate either: then an address may be everybody's.
    A client that shows no token is sent away, without a turn of the common rate.

    Whoever is refused for the common rate is told when its turn would come if all who were refused stood in a line, so
    that they do not come back together.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._most: Final = settings.connections
        self._addresses: Final = AddressCounter(settings.connections_per_ip)
        rate, per_address = settings.upgrades_per_s, settings.upgrades_per_s_per_ip
        burst = max(settings.connections_per_ip, math.ceil(per_address))
        is_limited = per_address and settings.connections_per_ip
        self._rate_of: Final = RateLimit(per_address, burst, most_keys=_ADDRESSES) if is_limited else None
        self._rate: Final = RateLimit(rate, max(1, round(rate * _BURST_S))) if rate else None
        self._turn_s: Final = 1 / rate if rate else 0.0
        self._line_ends = 0.0
        self._inside = 0
        self._now: Final = now

    def __len__(self) -> int:
        return self._inside

    def refusal(self, address: str, *, shows_token: bool = True) -> Refusal | None:
        """Why a client at `address` may not come in now. One that may has taken its part of the rate."""
        refusal = self._refusal(address, shows_token=shows_token)
        if refusal is not None:
            metrics.upgrades_refused.labels(refusal.status.value).inc()
        return refusal

    def _refusal(self, address: str, *, shows_token: bool) -> Refusal | None:
        if 0 < self._most <= self._inside:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "this gateway is full", LATER_S)
        if self._addresses.is_full(address):
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many connections from this address", LATER_S)
        now = self._now()
        if self._rate_of is not None and (wait_s := self._rate_of.take(address, now)):
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "this address connects too often", math.ceil(wait_s))
        if shows_token and self._rate is not None and self._rate.take(_ANYBODY, now):
            self._line_ends = min(max(now, self._line_ends) + self._turn_s, now + LONGEST_LINE_S)
            retry_after_s = math.ceil(self._line_ends - now)
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many clients connect right now", retry_after_s)
        return None

    def enter(self, address: str) -> None:
        self._inside += 1
        self._addresses.enter(address)

    def leave(self, address: str) -> None:
        self._inside -= 1
        self._addresses.leave(address)
