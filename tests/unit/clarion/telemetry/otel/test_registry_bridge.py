"""What Prometheus' registry has is the same in OpenTelemetry's metrics."""

from typing import Any, cast

from opentelemetry.sdk.metrics.export import Gauge as OtelGauge
from opentelemetry.sdk.metrics.export import Histogram as OtelHistogram
from opentelemetry.sdk.metrics.export import Metric, Sum
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from clarion.telemetry.otel.registry_bridge import CUMULATIVE, metrics_of

NOW_NS, STARTED_NS = 2_000_000_000, 1_000_000_000


def converted(registry: CollectorRegistry) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics_of(registry.collect(), NOW_NS, STARTED_NS)}


def test_a_counter_keeps_its_name_its_labels_and_when_it_began() -> None:
    registry = CollectorRegistry()
    counter = Counter("clarion_accepted", "Accepted", ["lane"], registry=registry)
    counter.labels("low").inc(3)
    counter.labels("urgent").inc()
    (metric,) = converted(registry).values()
    assert (metric.name, metric.description) == ("clarion_accepted_total", "Accepted")
    found = cast("Sum", metric.data)
    assert (found.is_monotonic, found.aggregation_temporality) == (True, CUMULATIVE)
    assert {(point.attributes or {})["lane"]: point.value for point in found.data_points} == {"low": 3, "urgent": 1}
    assert {point.start_time_unix_nano for point in found.data_points} == {STARTED_NS}
    assert {point.time_unix_nano for point in found.data_points} == {NOW_NS}


def test_a_histogram_has_in_each_bucket_what_fell_into_it() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("clarion_stage_seconds", "Time", ["lane"], buckets=(0.1, 1.0), registry=registry)
    for value in (0.05, 0.5, 0.5, 7.0):
        histogram.labels("low").observe(value)
    (metric,) = converted(registry).values()
    assert (metric.name, metric.unit) == ("clarion_stage_seconds", "s")
    (point,) = cast("OtelHistogram", metric.data).data_points
    assert point.attributes == {"lane": "low"}
    assert (list(point.explicit_bounds), list(point.bucket_counts)) == ([0.1, 1.0], [1, 2, 1])
    assert (point.count, point.sum) == (4, 8.05)


def test_a_gauge_is_a_gauge() -> None:
    registry = CollectorRegistry()
    Gauge("clarion_held_bytes", "Held", registry=registry).set(7)
    (metric,) = converted(registry).values()
    assert (metric.name, metric.unit) == ("clarion_held_bytes", "By")
    assert [point.value for point in cast("OtelGauge", metric.data).data_points] == [7]


def test_every_series_of_the_catalogue_is_there_once() -> None:
    """Also those of our own fast metrics, and of the process."""
    families = [family for family in REGISTRY.collect() if family.samples]
    found: list[Any] = metrics_of(families, NOW_NS, STARTED_NS)
    names = [metric.name for metric in found]
    assert len(names) == len(set(names))
    assert {name.removesuffix("_total") for name in names} >= {family.name for family in families}
    assert all(metric.data.data_points for metric in found)
