"""What this process has counted, as Prometheus would be told."""

from prometheus_client.registry import Collector


def counted(metric: Collector, *values: str) -> float:
    """The count with these values of its labels, in order; of a histogram, how often something was observed."""
    return sum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith(("_total", "_count")) and tuple(sample.labels.values()) == values
    )
