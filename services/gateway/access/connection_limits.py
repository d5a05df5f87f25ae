"""Limits who may connect now.

A client that is refused before the upgrade costs a short response, and no connection.
"""

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

SOON_S: Final = 2  # Retry-After when the reason passes soon
LATER_S: Final = 10  # Retry-After when an address or this gateway has too many connections
LONGEST_LINE_S: Final = 30  # the longest Retry-After for the common rate
_BURST_S: Final = 0.1  # so much of the rate may come at once: as many wait when the event loop was busy for a moment
_ANYBODY: Final = ""  # the key of the common rate
_ADDRESSES: Final = 20_000  # whose rates are kept; beyond that, only the common rate holds them up


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a client may not connect: the answer's status and detail, its Retry-After in seconds, and the limit, if any.

    The limit is one of `labels.GATEWAY_LIMITS`.
    """

    status: HTTPStatus
    detail: str
    retry_after_s: int | None = None
    limit: str = ""


class ConnectionLimits:
    """Limits connections and upgrades a second, of this gateway and of each network address; 0 is no limit.

    An address has a rate of its own before the common one, so that none of them uses up the common rate. As many of its
    upgrades may come at once as it may have connections. Where connections of an address are not limited, its rate is
    not limited either: then all clients may share one address. A client that shows no token does not count against the
    common rate, since it is sent away.

    A client that is refused for the common rate is told when it could connect if all who were refused stood in a line,
    so that they do not come back together.
    """

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._most: Final = settings.connections
        self._addresses: Final = AddressCounter(settings.connections_per_ip)
        rate, per_address = settings.upgrades_per_s, settings.upgrades_per_s_per_ip
        burst = max(settings.connections_per_ip, math.ceil(per_address))
        is_limited = per_address and settings.connections_per_ip
        self._rate_of: Final = RateLimit(per_address, burst, most_keys=_ADDRESSES) if is_limited else None
        self._rate: Final = RateLimit(rate, max(1, round(rate * _BURST_S))) if rate else None
        self._apart_s: Final = 1 / rate if rate else 0.0
        self._line_ends = 0.0
        self._inside = 0
        self._now: Final = now

    def __len__(self) -> int:
        return self._inside

    def refusal(self, address: str, *, shows_token: bool = True) -> Refusal | None:
        """Return why a client at `address` may not connect now, or None.

        When it returns None, the upgrade is counted against the rates.
        """
        refusal = self._refusal(address, shows_token=shows_token)
        if refusal is not None:
            metrics.upgrades_refused.labels(refusal.status.value).inc()
            metrics.rate_limited.labels(refusal.limit).inc()
        return refusal

    def _refusal(self, address: str, *, shows_token: bool) -> Refusal | None:
        if 0 < self._most <= self._inside:
            return Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE, "this gateway is full: try again later", LATER_S, "connections"
            )
        if self._addresses.is_full(address):
            return Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "this address has too many connections: close some, or try again later",
                LATER_S,
                "connections_per_ip",
            )
        now = self._now()
        if self._rate_of is not None and (wait_s := self._rate_of.take(address, now)):
            return Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "this address connects too often: try again later",
                math.ceil(wait_s),
                "upgrades_per_s_per_ip",
            )
        if shows_token and self._rate is not None and self._rate.take(_ANYBODY, now):
            self._line_ends = min(max(now, self._line_ends) + self._apart_s, now + LONGEST_LINE_S)
            retry_after_s = math.ceil(self._line_ends - now)
            return Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too many clients connect at the moment: try again later",
                retry_after_s,
                "upgrades_per_s",
            )
        return None

    def enter(self, address: str) -> None:
        """Count a connection from `address`."""
        self._inside += 1
        self._addresses.enter(address)

    def leave(self, address: str) -> None:
        """Stop counting a connection from `address`."""
        self._inside -= 1
        self._addresses.leave(address)
