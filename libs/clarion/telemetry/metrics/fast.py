"""Counters and histograms for what happens tens of thousands of times a second: plain numbers, read when scraped.

`Counter.inc` takes a lock and most of a microsecond, `Histogram.observe` takes two. Only one thread, that of the event
loop, may change these metrics; others may read them.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Count:
    """The count of one combination of labels so far. Callers add to `n`."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


class FastCounter(Collector):
    """A counter: `counter.of("low", "live").n += 1`, with the values of its labels in order."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._counts: dict[Sequence[str], Count] = {}

    def of(self, *values: str) -> Count:
        """Return the count for these label values, which are in the order of the labels."""
        return self._counts.setdefault(values, Count())

    def collect(self) -> Iterable[Metric]:
        """Yield all counts, for Prometheus."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, count in self._counts.copy().items():
            family.add_metric(values, count.n)
        yield family


class FastHistogram(Collector):
    """A histogram by one label."""

    def __init__(self, name: str, documentation: str, label: str, buckets: Sequence[float]) -> None:
        self._name, self._documentation, self._label, self._buckets = name, documentation, label, buckets
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, label: str, value: float, times: int = 1) -> None:
        """Count that `value` occurred so many `times`."""
        counts = self._counts.get(label)
        if counts is None:
            counts = self._counts[label] = [0] * (len(self._buckets) + 1)
        counts[bisect_left(self._buckets, value)] += times
        self._sums[label] = self._sums.get(label, 0.0) + value * times

    def collect(self) -> Iterable[Metric]:
        """Yield all buckets and sums, for Prometheus."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=[self._label])
        for label, counts in self._counts.copy().items():
            total, cumulated = 0, list[tuple[str, float]]()
            for bound, count in zip((*map(str, map(float, self._buckets)), "+Inf"), counts, strict=True):
                total += count
                cumulated.append((bound, total))
            family.add_metric([label], cumulated, self._sums.get(label, 0.0))
        yield family
