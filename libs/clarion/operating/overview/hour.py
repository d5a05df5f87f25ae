"""The last hour of the charts: a ring of points in memory, so that charts need no Prometheus. Pure."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from clarion.operating.overview.schema import Point

EVERY_S: Final = 10
POINTS: Final = 3600 // EVERY_S
_MISSED: Final = 3  # so many points without a look are a gap, and no straight line


class Hour:
    """One point each `EVERY_S` seconds of `width` values each, `POINTS` at most."""

    def __init__(self, width: int) -> None:
        self._width: Final = width
        self._points: Final[deque[Point]] = deque(maxlen=POINTS)

    def add(self, at: float, values: Sequence[float | None]) -> Point:
        """Note the values at a Unix time; return their point. A later look within the same seconds replaces them.

        A clock that was set back begins the hour anew, since points are in the order of time.
        """
        slot = int(at // EVERY_S) * EVERY_S
        if self._points and slot < self._points[-1].at:
            self._points.clear()
        if self._points and slot == self._points[-1].at:
            self._points.pop()
        elif self._points and slot > self._points[-1].at + _MISSED * EVERY_S:
            self._points.append(Point(self._points[-1].at + EVERY_S, [None] * self._width))
        point = Point(slot, list(values))
        self._points.append(point)
        return point

    def points(self) -> list[Point]:
        """Return all points, oldest first."""
        return list(self._points)
