"""Decides whether and when to connect again after a connection ended. Pure: moments are monotonic seconds.

After 4401 a new token is tried once. Only when the server refuses that one, too, which was fetched for just this
connection, is the refusal final: a token that has expired, also during an outage, says nothing about the next one.
"""

from typing import Final

from clarion.client.errors import Disconnected, Forbidden, TokenRefused
from clarion.client.subscribing.connection import Ended
from clarion.client.subscribing.endpoints import Endpoints
from clarion.contracts import limits
from clarion.contracts.api.close_codes import REFRESH_ON, RETURN_ON, Close
from clarion.resilience.backoff import Backoff

STABLE_S: Final = 10.0  # once a connection lived this long after `hello`, earlier failures do not count any more


class Reconnect:
    """Counts what went wrong since the last stable connection, and says how long to wait before the next one."""

    def __init__(self, addresses: Endpoints, backoff: Backoff | None = None) -> None:
        """Take a `backoff` in place of the usual one, which waits RECONNECT_MIN_S to RECONNECT_MAX_S."""
        self.addresses: Final = addresses
        self._at_least_s = 0.0 if backoff else limits.RECONNECT_MIN_S
        self._backoff = backoff or Backoff(limits.RECONNECT_MIN_S, limits.RECONNECT_MAX_S - limits.RECONNECT_MIN_S)
        self._greeted_at: float | None = None
        self._failures = 0
        self._unreadable = 0
        self._token_refusals = 0

    def greeted(self, now: float) -> None:
        """Note that the connection got its `hello`."""
        self._greeted_at = now

    def after(self, ended: Ended, now: float, *, may_refresh: bool, is_latest: bool = True) -> float:
        """Return the seconds to wait before the next connection. Raise a `SubscribeError` when there must be none.

        `may_refresh` says that a new token can be fetched. `is_latest` says that none was fetched since the connection
        got its token.
        """
        greeted_at, self._greeted_at = self._greeted_at, None
        if greeted_at is not None and now - greeted_at >= STABLE_S:  # `hello` alone proves nothing
            self._failures = self._token_refusals = 0
        self._judge(ended, may_refresh=may_refresh, is_latest=is_latest)
        # unreadable ends in a row, however long each connection lived; a rolling update may mend the cause
        self._unreadable = self._unreadable + 1 if ended.unreadable else 0
        failures, self._failures = max(self._failures, self._unreadable - 1), self._failures + 1
        asked_for_s = self._asked_for_s(ended, now, was_greeted=greeted_at is not None)
        return min(asked_for_s + self._at_least_s + self._backoff.delay(failures), 10 * limits.RECONNECT_MAX_S)

    def _judge(self, ended: Ended, *, may_refresh: bool, is_latest: bool) -> None:
        if ended.code in RETURN_ON:
            self._token_refusals = 0  # a refusal after this is not of a token that was just fetched
            return
        said = ended.reason or "the server gave no reason"
        if ended.code in REFRESH_ON:
            if not may_refresh:
                raise TokenRefused(f"{said}; give a valid token, or get_token, which can fetch another one")
            self._token_refusals += is_latest
            if self._token_refusals > 1:
                raise TokenRefused(
                    f"{said}; a token that was just fetched was refused, too: check its issuer, audience, key and clock"
                )
            return
        if ended.code == Close.FORBIDDEN:
            raise Forbidden(f"{said}; use a token with the scope subscribe, from an origin that is allowed")
        raise Disconnected(
            f"the server closed the connection with {ended.code}: {said}; check that the url is a gateway's, and "
            "that this SDK is not older than it"
        )

    def _asked_for_s(self, ended: Ended, now: float, *, was_greeted: bool) -> float:
        """Return the seconds for which the server wants the client to wait.

        A server that had sent `hello` wants that before a connection to any gateway; another one only for itself.
        """
        if was_greeted:
            return ended.retry_s
        self.addresses.turned_away(now + ended.retry_s)
        return self.addresses.wait_s(now)
