"""The one way to declare a metric: with its meaning, its unit, its labels and what to do when it looks wrong."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal, TypeVar

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from clarion.telemetry.metrics.fast import FastCounter, FastHistogram
from clarion.telemetry.metrics.labels import Label
from clarion.telemetry.metrics.reading import Reading

Kind = Literal["counter", "gauge", "histogram"]
# Prometheus asks that a name ends with its unit, if it is one of these.
BaseUnit = Literal["seconds", "bytes", "ratio"]
Unit = (
    BaseUnit
    | Literal[
        "acknowledgements", "answers", "breaker state", "calls", "changes", "clients", "connections", "epoch", "epochs",
        "files", "inserts", "items", "keys", "letters", "limits", "lines", "looks", "mailboxes", "notifications",
        "objects", "partitions", "receipts", "records", "refusals", "requests", "sockets", "topics", "users", "version",
        "windows", "yes or no",
    ]
)  # fmt: skip

_T = TypeVar("_T", bound=Collector)


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared of one metric.

    `name` is the declared one: Prometheus gets a counter's with `_total`, and a histogram's with `_bucket`, `_sum` and
    `_count`.
    """

    name: str
    kind: Kind
    meaning: str
    unit: Unit
    labels: Sequence[Label]
    remedy: str

    @property
    def exported(self) -> str:
        """Return the name by which Prometheus knows the metric; of a histogram without the suffixes of its parts."""
        return self.name + "_total" if self.kind == "counter" else self.name


class Subject(Collector):
    """The metrics of one subject. A process exports those of the subjects that it has something to say about.

    Otherwise a gauge such as the number of free mailboxes would be 0 in each process that does not know it.
    """

    def __init__(self, name: str, about: str) -> None:
        self.name: Final = name
        self.about: Final = about
        self.declared: Final[list[Declared]] = []
        self._collectors: Final[list[tuple[Declared, Collector]]] = []
        self._is_exported = False

    def counter(self, name: str, meaning: str, *labels: Label, unit: Unit, remedy: str) -> Counter:
        """Declare what is counted."""
        made = Counter(name, meaning, [label.name for label in labels], registry=None)
        return self._add(Declared(name, "counter", meaning, unit, labels, remedy), made)

    def gauge(self, name: str, meaning: str, *labels: Label, unit: Unit, remedy: str) -> Gauge:
        """Declare what a process knows at any time."""
        made = Gauge(name, meaning, [label.name for label in labels], registry=None)
        return self._add(Declared(name, "gauge", meaning, unit, labels, remedy), made)

    def histogram(
        self, name: str, meaning: str, *labels: Label, unit: Unit, remedy: str, buckets: Sequence[float]
    ) -> Histogram:
        """Declare what is measured, and up to which bounds it is counted."""
        made = Histogram(name, meaning, [label.name for label in labels], buckets=buckets, registry=None)
        return self._add(Declared(name, "histogram", meaning, unit, labels, remedy), made)

    def fast_counter(self, name: str, meaning: str, *labels: Label, unit: Unit, remedy: str) -> FastCounter:
        """Declare what is counted tens of thousands of times a second, in the event loop's thread."""
        made = FastCounter(name, meaning, [label.name for label in labels])
        return self._add(Declared(name, "counter", meaning, unit, labels, remedy), made)

    def fast_histogram(
        self, name: str, meaning: str, label: Label, *, unit: Unit, remedy: str, buckets: Sequence[float]
    ) -> FastHistogram:
        """Declare what is measured tens of thousands of times a second, in the event loop's thread."""
        made = FastHistogram(name, meaning, label.name, buckets)
        return self._add(Declared(name, "histogram", meaning, unit, [label], remedy), made)

    def reading(self, name: str, meaning: str, *labels: Label, unit: Unit, remedy: str) -> Reading:
        """Declare a gauge that is there only while somebody knows its values."""
        made = Reading(name, meaning, [label.name for label in labels])
        return self._add(Declared(name, "gauge", meaning, unit, labels, remedy), made)

    def foreign(self, name: str, kind: Kind, meaning: str, *labels: Label, unit: Unit, remedy: str) -> None:
        """Describe a metric that a library exports by itself."""
        self._note(Declared(name, kind, meaning, unit, labels, remedy))

    def export(self, **only: str | Sequence[str]) -> None:
        """Have this process export the subject's metrics from now on.

        Counters whose labels have known values begin at 0, so that Prometheus sees their first increase. `only` says of
        labels, by name, which of their values this process has.
        """
        for declared, collector in self._collectors:
            if declared.labels and all(label.values for label in declared.labels):
                for values in product(*(_values(label, only) for label in declared.labels)):
                    _begin(collector, values)
        if not self._is_exported:
            self._is_exported = True
            REGISTRY.register(self)

    def collect(self) -> Iterable[Metric]:
        """Yield the subject's metrics, for Prometheus."""
        for _, collector in self._collectors:
            yield from collector.collect()

    def _add(self, declared: Declared, made: _T) -> _T:
        self._note(declared)
        self._collectors.append((declared, made))
        return made

    def _note(self, declared: Declared) -> None:
        if declared.name in {other.name for other in self.declared}:
            raise ValueError(f"{declared.name} is declared twice")
        self.declared.append(declared)


def _values(label: Label, only: Mapping[str, str | Sequence[str]]) -> Sequence[str]:
    values = only.get(label.name, label.values)
    return [values] if isinstance(values, str) else values


def _begin(collector: Collector, values: Sequence[str]) -> None:
    if isinstance(collector, Counter):
        collector.labels(*values)
    elif isinstance(collector, FastCounter):
        collector.of(*values)
