"""Token buckets as the generic cell rate algorithm (ITU-T I.371, appendix I.2): one number for each key.

A key's theoretical arrival time is when its bucket will be full again. A key whose time has passed has a full bucket,
as one never seen: it is forgotten, so that the keys kept are those that were busy lately.
"""

from itertools import islice
from typing import Final

_KEPT: Final = 0.9  # of the keys, when there are too many


class RateLimit:
    """`rate` tokens a second and key, up to `burst` at once. Pure: time is passed in, in seconds.

    At most `most_keys` are kept. Beyond that those that came first are forgotten: their buckets count as full again,
    and `forgotten` counts them.

    Time may go back a little: an earlier time finds the bucket as it is, so it can gain nothing by it.
    """

    def __init__(self, rate: float, burst: int, *, most_keys: int = 100_000) -> None:
        self._interval: Final = 1.0 / rate
        self._tolerance: Final = burst / rate
        self.burst: Final = burst
        self._most_keys: Final = most_keys
        self._full_at: Final[dict[str, float]] = {}
        self.forgotten = 0

    def take(self, key: str, now: float, tokens: int = 1) -> float:
        """Take `tokens`: 0.0 when they were there; otherwise how long to wait for them, in seconds, and none are taken.

        More than the burst can never be had: the answer is infinite.
        """
        if tokens > self.burst:
            return float("inf")
        full_at = max(now, self._full_at.get(key, now)) + tokens * self._interval
        # a token's worth of rounding must not refuse what is exactly due
        wait = full_at - now - self._tolerance
        if wait > self._interval * 1e-6:
            return wait
        self._full_at[key] = full_at
        if len(self._full_at) > self._most_keys:
            self._forget(now)
        return 0.0

    def clear(self) -> None:
        self._full_at.clear()

    def __len__(self) -> int:
        return len(self._full_at)

    def _forget(self, now: float) -> None:
        """Full buckets go for free; if that makes too little room, the oldest keys go. Seldom: much goes at once."""
        for key in [key for key, full_at in self._full_at.items() if full_at <= now]:
            del self._full_at[key]
        excess = len(self._full_at) - int(self._most_keys * _KEPT)
        for key in list(islice(self._full_at, max(0, excess))):
            del self._full_at[key]
            self.forgotten += 1
