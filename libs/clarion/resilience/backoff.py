"""Exponential backoff with full jitter and a cap (Brooker, "Exponential Backoff and Jitter", 2015). Pure."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait after the n-th failure (from 0): uniform in [0, min(cap, base · 2ⁿ)]."""

    base_s: float = 0.1
    cap_s: float = 10.0

    def delay(self, failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Return how many seconds to wait after a failure that `failures` others came before, in a row."""
        return uniform(0, min(self.cap_s, self.base_s * 2 ** min(failures, 32)))


RETRY = Backoff()
