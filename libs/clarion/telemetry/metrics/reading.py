"""A gauge that is exported only while its values are known: a value that nobody could read again is no value."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Reading(Collector):
    """A gauge whose series are told all at once, and are gone once they are cleared.

    Of Prometheus' own gauges, one without labels is always there, and is 0 before anybody has set it.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._values: Mapping[tuple[str, ...], float] = {}

    def tell(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Export these values, by the values of the labels in order, and no others."""
        self._values = dict(values)

    def set(self, value: float) -> None:
        """Export the value of a gauge without labels."""
        self.tell({(): value})

    def clear(self) -> None:
        """Export nothing until somebody knows values again."""
        self._values = {}

    def collect(self) -> Iterable[Metric]:
        """Yield what is known, for Prometheus."""
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family
