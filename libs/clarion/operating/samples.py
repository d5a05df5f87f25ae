"""What a process exports at `/metrics`, parsed, and the sums and quantiles that operators ask for. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Sample(NamedTuple):
    """One series of a metric, at one moment."""

    labels: Mapping[str, str]
    value: float


Samples = Mapping[str, Sequence[Sample]]  # by the name of the series, such as `clarion_stored_total`


class Quantile(NamedTuple):
    """A quantile of a histogram: the upper bound of its bucket, and of how many values it is."""

    value: float
    values: float


def parse(text: str) -> Samples:
    """Return the samples of Prometheus' text format. Raises ValueError for any other text."""
    found: defaultdict[str, list[Sample]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name].append(Sample(sample.labels, sample.value))
    return dict(found)


def total(samples: Samples, name: str, **labels: str) -> float | None:
    """Return the sum of the series of `name` that have these labels; None when there is no such series."""
    values = [sample.value for sample in _of(samples, name, labels)]
    return sum(values) if values else None


def by_label(samples: Samples, name: str, label: str) -> dict[str, float]:
    """Return the sums of the series of `name`, by the value of a label."""
    sums: defaultdict[str, float] = defaultdict(float)
    for sample in samples.get(name, ()):
        sums[sample.labels.get(label, "")] += sample.value
    return dict(sums)


def quantile(samples: Samples, name: str, q: float, **labels: str) -> Quantile | None:
    """Return a quantile of the histogram `name`, over its series with these labels; None when it has no values.

    The value is the upper bound of the bucket that the quantile lies in, so the true one is no greater. It is infinite
    above the last bound.
    """
    counts: defaultdict[float, float] = defaultdict(float)
    for sample in _of(samples, f"{name}_bucket", labels):
        counts[float(sample.labels["le"])] += sample.value
    count = counts.get(math.inf, 0.0)
    if not count:
        return None
    return Quantile(min(bound for bound, below in counts.items() if below >= q * count), count)


def _of(samples: Samples, name: str, labels: Mapping[str, str]) -> Iterator[Sample]:
    wanted = labels.items()
    return (sample for sample in samples.get(name, ()) if all(sample.labels.get(k) == v for k, v in wanted))
