"""Turn what Prometheus' registry has into OpenTelemetry's metrics, as its specification of the two says. Pure.

Names stay as they are, with `_total` and the unit: a query is the same whichever way a series came.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Sample

CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_UNITS: Final = {"_seconds": "s", "_bytes": "By", "_ratio": "1"}

Labels = Mapping[str, str]


def metrics_of(families: Iterable[Family], now_ns: int, started_ns: int) -> list[Metric]:
    """Return the metrics of a process that has counted since `started_ns`."""
    return [metric for family in families for metric in _converted(family, now_ns, started_ns)]


def _converted(family: Family, now_ns: int, started_ns: int) -> Iterator[Metric]:
    def numbers(samples: Iterable[Sample]) -> list[NumberDataPoint]:
        return [NumberDataPoint(one.labels, started_ns, now_ns, one.value) for one in samples]

    name, unit = family.name, _unit(family)
    if family.type == "counter":
        counted = [one for one in family.samples if one.name == f"{name}_total"]
        if counted:
            yield Metric(f"{name}_total", family.documentation, unit, Sum(numbers(counted), CUMULATIVE, True))
    elif family.type == "histogram":
        if points := [_histogram(labels, some, started_ns, now_ns) for labels, some in _by_series(family)]:
            yield Metric(name, family.documentation, unit, Histogram(points, CUMULATIVE))
    else:
        for sample_name in dict.fromkeys(one.name for one in family.samples):
            found = [one for one in family.samples if one.name == sample_name]
            yield Metric(sample_name, family.documentation, unit, Gauge(numbers(found)))


def _histogram(labels: Labels, samples: Iterable[Sample], since_ns: int, now_ns: int) -> HistogramDataPoint:
    """Return one series of a histogram. Prometheus counts cumulatively: a bucket has what the ones below it have."""
    bounds: list[float] = []
    counts: list[int] = []
    total, below = 0.0, 0
    for sample in samples:
        if "le" in sample.labels:
            bound, count = float(sample.labels["le"]), int(sample.value)
            counts.append(count - below)
            below = count
            if bound != float("inf"):
                bounds.append(bound)
        elif sample.name.endswith("_sum"):
            total = sample.value
    unknown: Any = None  # Prometheus keeps no least and no greatest value, and the encoder leaves these out
    return HistogramDataPoint(labels, since_ns, now_ns, below, total, counts, bounds, unknown, unknown)


def _by_series(family: Family) -> Iterator[tuple[Labels, list[Sample]]]:
    """Yield the samples of each series of a histogram, with the labels that it has beside `le`."""
    series: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        series.setdefault(tuple(sorted(labels.items())), []).append(sample)
    for key, samples in series.items():
        yield dict(key), samples


def _unit(family: Family) -> str:
    return next((unit for suffix, unit in _UNITS.items() if family.name.endswith(suffix)), "")
