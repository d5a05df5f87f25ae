"""Tells what is due in which second: one timing wheel for all connections, instead of a timer each. Pure."""

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class TimingWheel(Generic[T]):
    """Holds items that are due once each. Seconds are of any clock that never goes back."""

    def __init__(self) -> None:
        self._due: dict[int, set[T]] = {}
        self._second_of: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._second_of)

    def put(self, item: T, at_s: float) -> None:
        """Make an item due in the second after `at_s`, never before it; an item that is in the wheel moves."""
        self.discard(item)
        second = math.floor(at_s) + 1
        self._second_of[item] = second
        self._due.setdefault(second, set()).add(item)

    def discard(self, item: T) -> None:
        """Take an item out of the wheel, if it is in there."""
        second = self._second_of.pop(item, None)
        if second is not None:
            bucket = self._due[second]
            bucket.discard(item)
            if not bucket:
                del self._due[second]

    def take_due(self, now_s: float) -> list[T]:
        """Take out everything that is due by now, and return it, the longest due first."""
        due: list[T] = []
        for second in sorted(second for second in self._due if second <= now_s):
            due.extend(self._due.pop(second))
        for item in due:
            del self._second_of[item]
        return due
