"""Chooses the gateway that is tried next. All gateways are alike, but one may be ending, or not yet started."""

import random
from collections.abc import Sequence


class Endpoints:
    """The addresses of gateways. None is tried twice in a row while another may be. Times are monotonic seconds."""

    def __init__(self, urls: Sequence[str]) -> None:
        if not urls:
            raise ValueError("no gateway's address was given: give one or more")
        self._not_before = dict.fromkeys(urls, 0.0)
        self._last = ""

    def turned_away(self, until: float) -> None:
        """Note that the gateway that was tried last refused to connect, and is not to be tried again before `until`."""
        self._not_before[self._last] = until

    def wait_s(self, now: float) -> float:
        """Return the seconds until any gateway may be tried."""
        return max(0.0, min(self._not_before.values()) - now)

    def next(self, now: float) -> str:
        """Return an address that may be tried; if it is too early for all of them, the first that may be."""
        soonest = max(now, min(self._not_before.values()))
        may = [url for url, moment in self._not_before.items() if moment <= soonest]
        others = [url for url in may if url != self._last]
        self._last = random.choice(others or may)  # noqa: S311 - spreads load, keeps no secret
        return self._last
