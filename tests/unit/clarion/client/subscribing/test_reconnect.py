"""When a client comes back, and when it does not."""

from collections.abc import Callable

import pytest

from clarion.client import Disconnected, Forbidden, TokenRefused
from clarion.client.subscribing.connection import Ended
from clarion.client.subscribing.endpoints import Endpoints
from clarion.client.subscribing.reconnect import STABLE_S, Reconnect
from clarion.contracts import limits
from clarion.contracts.api.close_codes import Close
from clarion.resilience.backoff import Backoff

CUT = Ended(1006, "cut")
RESTART = Ended(Close.RESTART, "restart", retry_s=2.0)


class Whole(Backoff):
    """Without the jitter: what it would be at most."""

    def delay(self, failures: int, uniform: Callable[[float, float], float] = max) -> float:
        return super().delay(failures, uniform)


def reconnect(*urls: str) -> Reconnect:
    return Reconnect(Endpoints(urls or ["ws://one"]), Whole(1.0, 1_000.0))


def test_a_connection_is_stable_ten_seconds_after_its_greeting() -> None:
    found, now = reconnect(), 0.0
    waits: list[float] = []
    for lived_s in (0.0, STABLE_S - 0.5, STABLE_S, 0.0, None):
        if lived_s is not None:
            found.greeted(now)
        now += STABLE_S if lived_s is None else lived_s  # without a greeting it was no connection at all
        waits.append(found.after(CUT, now, may_refresh=False))
    assert waits == [1, 2, 1, 2, 4]


def test_a_token_is_refreshed_once_until_a_stable_connection() -> None:
    refused = Ended(Close.TOKEN, "expired")
    found = reconnect()
    found.after(refused, 0.0, may_refresh=True)
    found.greeted(1.0)
    found.after(refused, 1.0 + STABLE_S, may_refresh=True)
    with pytest.raises(TokenRefused, match="expired"):
        found.after(refused, 20.0, may_refresh=True)
    with pytest.raises(TokenRefused):
        reconnect().after(refused, 0.0, may_refresh=False)


@pytest.mark.parametrize(("code", "error"), [(Close.FORBIDDEN, Forbidden), (Close.PROTOCOL, Disconnected)])
def test_a_verdict_is_final(code: Close, error: type[Exception]) -> None:
    with pytest.raises(error):
        reconnect().after(Ended(code, "no"), 0.0, may_refresh=True)


def test_a_retry_hint_is_waited_for_at_its_own_address_only() -> None:
    found = reconnect("ws://one", "ws://other")
    found.greeted(0.0)
    assert found.after(RESTART, 1.0, may_refresh=False) == 2.0 + 1.0
    first = found.addresses.next(1.0)
    assert found.after(RESTART, 1.0, may_refresh=False) == 2.0, "the hint is of that address alone"
    assert found.addresses.next(1.0) != first


def test_the_wait_has_a_floor_and_an_end() -> None:
    found = Reconnect(Endpoints(["ws://one"]))
    assert limits.RECONNECT_MIN_S <= found.after(CUT, 0.0, may_refresh=False) <= 2 * limits.RECONNECT_MIN_S
    found.greeted(0.0)
    far = Ended(Close.RESTART, "restart", retry_s=1e9)
    assert found.after(far, 1.0, may_refresh=False) == 10 * limits.RECONNECT_MAX_S
