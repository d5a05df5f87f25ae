"""Which gateway's address is tried next: all gateways are alike, but one may be on its way out, or not here yet."""

import random
from collections.abc import Sequence


class Endpoints:
    """Never the same one twice in a row while another may be tried. `now` is monotonic seconds."""

    def __init__(self, urls: Sequence[str]) -> None:
        if not urls:
            raise ValueError("no gateway's address was given")
        self._not_before = dict.fromkeys(urls, 0.0)
        self._last = ""

    def turned_away(self, until: float) -> None:
        """The one that was tried last let nobody in, and asked not to be tried again before `until`."""
        self._not_before[self._last] = until

    def wait_s(self, now: float) -> float:
        """Until one may be tried."""
        return max(0.0, min(self._not_before.values()) - now)

    def next(self, now: float) -> str:
        """One that may be tried; the one that may be soonest when it is too early for all."""
        soonest = max(now, min(self._not_before.values()))
        may = [url for url, moment in self._not_before.items() if moment <= soonest]
        others = [url for url in may if url != self._last]
        self._last = random.choice(others or may)  # noqa: S311 - spreads load, keeps no secret
        return self._last
