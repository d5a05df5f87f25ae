"""By how much a figure rises a minute, told by an estimator that neither noise nor single steps mislead. Pure."""

from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import NamedTuple


class Point(NamedTuple):
    """A figure at a moment, in seconds of any clock."""

    at: float
    value: float


def per_minute(points: Sequence[Point]) -> float:
    """Return by how much the figure rises a minute: Theil and Sen's estimator, the median of the slopes of all pairs.

    Up to 29 % of the points may be anything, such as a peak while garbage is collected, and a figure that rises in
    steps, as memory does that is asked for by the mebibyte, has the slope of its course. Raise ValueError for points
    that are all of one moment.
    """
    slopes = [(b.value - a.value) / (b.at - a.at) for a, b in combinations(points, 2) if a.at != b.at]
    if not slopes:
        raise ValueError("a slope needs points of two moments")
    return median(slopes) * 60
