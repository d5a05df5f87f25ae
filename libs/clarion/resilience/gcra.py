"""Token buckets as the generic cell rate algorithm (ITU-T I.371, appendix I.2): one number for each key.

A key's theoretical arrival time is when its bucket will be full again. A key whose time has passed has a full bucket,
like a key that was never seen, and can be forgotten. So the keys that are kept are those that were busy lately.
"""

from itertools import islice
from typing import Final

_KEPT: Final = 0.9  # the part of `most_keys` that stays when there are too many


class RateLimit:
    """A limit of `rate` tokens a second for each key, and `burst` at once. Pure: time is passed in, in seconds.

    At most `most_keys` are kept. Beyond that, keys that came first are forgotten: their buckets count as full again,
    and `forgotten` counts them. Time may go back a little. Nobody gains by that, since an earlier time finds the bucket
    as it is.
    """

    def __init__(self, rate: float, burst: int, *, most_keys: int = 100_000) -> None:
        self._interval: Final = 1.0 / rate
        self._tolerance: Final = burst / rate
        self.burst: Final = burst
        self._most_keys: Final = most_keys
        self._full_at: Final[dict[str, float]] = {}
        self.forgotten = 0

    def take(self, key: str, now: float, tokens: int = 1) -> float:
        """Take `tokens` and return 0.0; or take none, and return how many seconds it takes until they are there.

        For more tokens than `burst`, which are never there, that is infinity.
        """
        if tokens > self.burst:
            return float("inf")
        full_at = max(now, self._full_at.get(key, now)) + tokens * self._interval
        # a rounding error must not refuse what is exactly due
        wait = full_at - now - self._tolerance
        if wait > self._interval * 1e-6:
            return wait
        self._full_at[key] = full_at
        if len(self._full_at) > self._most_keys:
            self._forget(now)
        return 0.0

    def clear(self) -> None:
        """Forget all keys, so that all buckets are full."""
        self._full_at.clear()

    def __len__(self) -> int:
        return len(self._full_at)

    def _forget(self, now: float) -> None:
        """Forget full buckets, and if that makes too little room, the keys that came first.

        It makes room for many keys at once, because going through all of them has to be seldom.
        """
        for key in [key for key, full_at in self._full_at.items() if full_at <= now]:
            del self._full_at[key]
        excess = len(self._full_at) - int(self._most_keys * _KEPT)
        for key in list(islice(self._full_at, max(0, excess))):
            del self._full_at[key]
            self.forgotten += 1
