"""What Prometheus computes of the samples of a range, computed as Prometheus 2.42 does. Pure.

Each function takes the times and the values of one series in the order of time, two at least.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

Samples = Sequence[float]


def increase(times: Samples, values: Samples, start: float, end: float) -> float:
    """Return how much a counter rose from `start` to `end`.

    What the samples leave out at either side is added in proportion, but never from below zero on.
    """
    rose = values[-1] - values[0] + sum(before for before, after in pairwise(values) if after < before)
    covered = times[-1] - times[0]
    average = covered / (len(times) - 1)
    at_start, at_end = times[0] - start, end - times[-1]
    if rose > 0 and values[0] >= 0:
        at_start = min(at_start, covered * (values[0] / rose))
    enough = average * 1.1  # beyond that, the series began or ended within the range
    whole = covered + sum(gap if gap < enough else average / 2 for gap in (at_start, at_end))
    return rose * (whole / covered)


def slope(times: Samples, values: Samples) -> float:
    """Return how much a gauge rises a second, by the least squares."""
    if all(value == values[0] for value in values):
        return 0.0
    n, first = len(times), times[0]
    x = [time - first for time in times]
    x_sum, y_sum = math.fsum(x), math.fsum(values)
    covariance = math.fsum(a * b for a, b in zip(x, values, strict=True)) - x_sum * y_sum / n
    return covariance / (math.fsum(a * a for a in x) - x_sum * x_sum / n)


def changes(values: Samples) -> int:
    """Return how often the value changed."""
    return sum(before != after for before, after in pairwise(values))


def quantile(q: float, buckets: Sequence[tuple[float, float]]) -> float:
    """Return the quantile of a histogram, given its buckets as (upper bound, count of all up to there).

    Within a bucket, observations count as evenly spread. Return NaN without any, or without a bucket `+Inf`.
    """
    bounds = sorted(buckets)
    if len(bounds) < 2 or bounds[-1][0] != math.inf:
        return math.nan
    counts = _monotonic([count for _, count in bounds])
    if counts[-1] == 0:
        return math.nan
    rank = q * counts[-1]
    index = next(i for i, count in enumerate(counts) if count >= rank or i == len(counts) - 1)
    upper = bounds[index][0]
    if upper == math.inf:
        return bounds[-2][0]
    if index == 0:
        return upper if upper <= 0 else upper * (rank / counts[0])
    lower, under = bounds[index - 1][0], counts[index - 1]
    return lower + (upper - lower) * ((rank - under) / (counts[index] - under))


def _monotonic(counts: list[float]) -> list[float]:
    """Return the counts without decreases, which come from samples that were not taken at the same moment."""
    highest, raised = -math.inf, list[float]()
    for count in counts:
        highest = max(highest, count)
        raised.append(highest)
    return raised
