"""Tallies say to Prometheus what its own counters and histograms would say."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from clarion.telemetry.metrics.fast import FastCounter, FastHistogram

BUCKETS = (0.0078125, 0.25, 1, 10)  # and values: powers of two, whose sums are exact


def samples(registry: CollectorRegistry) -> set[str]:
    """Without when a series began: a tally does not say it."""
    lines = generate_latest(registry).decode().splitlines()
    return {line for line in lines if "_created" not in line}


def told_by(collector: FastCounter | FastHistogram) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def test_a_tally_counts_as_a_counter_does() -> None:
    tally = FastCounter("tally_test", "words", ["lane", "how"])
    registry = told_by(tally)
    expected = CollectorRegistry()
    counter = Counter("tally_test", "words", ["lane", "how"], registry=expected)
    for lane, how, count in [("low", "live", 1), ("high", "live", 2), ("low", "live", 40), ("low", "replay", 1)]:
        tally.of(lane, how).n += count
        counter.labels(lane, how).inc(count)
    assert samples(registry) == samples(expected)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["low", "high"]),
            st.sampled_from([0.0, 0.0078125, 0.125, 1.0, 3.0, 10.5]),
            st.integers(1, 3),
        ),
        max_size=9,
    )
)
def test_a_spread_observes_as_a_histogram_does(observed: list[tuple[str, float, int]]) -> None:
    spread = FastHistogram("spread_test", "words", "lane", BUCKETS)
    registry = told_by(spread)
    expected = CollectorRegistry()
    histogram = Histogram("spread_test", "words", ["lane"], buckets=BUCKETS, registry=expected)
    for lane, value, times in observed:
        spread.observe(lane, value, times)
        for _ in range(times):
            histogram.labels(lane).observe(value)
    assert samples(registry) == samples(expected)
