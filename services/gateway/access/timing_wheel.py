"""A timing wheel: what is due in which second. One for all connections, instead of a timer each. Pure."""

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class TimingWheel(Generic[T]):
    """Each item is due once; putting it again moves it. Seconds are of any clock that only grows."""

    def __init__(self) -> None:
        self._due: dict[int, set[T]] = {}
        self._second_of: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._second_of)

    def put(self, item: T, at_s: float) -> None:
        """Due in the second after `at_s`, never before it."""
        self.discard(item)
        second = math.floor(at_s) + 1
        self._second_of[item] = second
        self._due.setdefault(second, set()).add(item)

    def discard(self, item: T) -> None:
        second = self._second_of.pop(item, None)
        if second is not None:
            bucket = self._due[second]
            bucket.discard(item)
            if not bucket:
                del self._due[second]

    def turn(self, now_s: float) -> list[T]:
        """Everything due up to now, once, the longest due first."""
        due: list[T] = []
        for second in sorted(second for second in self._due if second <= now_s):
            due.extend(self._due.pop(second))
        for item in due:
            del self._second_of[item]
        return due
