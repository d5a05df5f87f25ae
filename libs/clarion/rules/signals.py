"""Signals: small expressions over metrics, which a rule compares with a threshold. Pure data.

A signal has two interpreters that say the same of the same samples: `promql` writes it for Prometheus, and `evaluate`
computes it from the samples of a process. Neither assumes a label of targets such as `job` or `namespace`: what is
summed keeps every label that is not named, so that deployments beside each other stay apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0

# What tells the processes of one job apart, as the common ways to find targets label them. A signal that is about all
# processes together drops these.
PROCESS: Final = ("container", "endpoint", "instance", "node", "pod")

Matchers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Series:
    """The series of one name whose labels match. `where` has labels' values, or `~` and a regular expression."""

    name: str
    where: Matchers = field(default_factory=dict[str, str])


OURS: Final = Series("clarion_logs_dropped_total")  # every process of Clarion has it, and no other


@dataclass(frozen=True, slots=True)
class Value:
    """The newest value of each series."""

    series: Series


@dataclass(frozen=True, slots=True)
class Rate:
    """How much counters have risen a second, over the last seconds. A counter that starts again counts on."""

    series: Series
    over_s: float


@dataclass(frozen=True, slots=True)
class Added:
    """How much counters have risen over the last seconds, where a series that is new counts from 0.

    A counter whose labels have values that nobody knows beforehand has no series before it first counts, so `Rate`
    does not see what counts first. `labels` are those labels. A series is new if its process was seen before, without
    it: after a pause of Prometheus, or of the network, old counts are no news.
    """

    series: Series
    over_s: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slope:
    """How much gauges have risen a second, over the last seconds, by the line that fits their values best."""

    series: Series
    over_s: float


@dataclass(frozen=True, slots=True)
class Extreme:
    """The lowest or highest value of gauges within `over_s` seconds, which ended `ago_s` seconds ago."""

    which: Literal["min", "max"]
    series: Series
    over_s: float
    ago_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Changes:
    """How often gauges have changed over the last seconds."""

    series: Series
    over_s: float


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of what a histogram observed over the last seconds. The labels `away` are summed over."""

    q: float
    histogram: Series
    over_s: float
    away: tuple[str, ...] = PROCESS

    def buckets(self) -> Series:
        """Return the series of its buckets."""
        return Series(f"{self.histogram.name}_bucket", self.histogram.where)


@dataclass(frozen=True, slots=True)
class Combined:
    """The sum, the maximum or the minimum of what differs in the labels `away` only."""

    how: Literal["sum", "max", "min"]
    of: "Signal"
    away: tuple[str, ...] = PROCESS


@dataclass(frozen=True, slots=True)
class Ratio:
    """One signal divided by another with the same labels."""

    of: "Signal"
    to: "Signal"


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is missing to 1."""

    of: "Signal"


@dataclass(frozen=True, slots=True)
class Distance:
    """How far from 0, whatever the sign."""

    of: "Signal"


@dataclass(frozen=True, slots=True)
class Either:
    """All of the first signal, and what of the others has other labels than those before."""

    signals: tuple["Signal", ...]


@dataclass(frozen=True, slots=True)
class Provided:
    """What of the first signal has the same labels as something of the second, whose values do not matter."""

    of: "Signal"
    there_is: "Signal"


Signal = (
    Value
    | Rate
    | Added
    | Slope
    | Extreme
    | Changes
    | Quantile
    | Combined
    | Ratio
    | Remainder
    | Distance
    | Either
    | Provided
)


def total(of: Signal, *away: str) -> Combined:
    """Return the sum over all processes and over the labels `away`."""
    return Combined("sum", of, (*PROCESS, *away))


def highest(of: Signal, *away: str) -> Combined:
    """Return the maximum over all processes and over the labels `away`."""
    return Combined("max", of, (*PROCESS, *away))


def inner(signal: Signal) -> tuple[Signal, ...]:
    """Return the signals that `signal` is made of."""
    match signal:
        case Combined(of=of) | Remainder(of=of) | Distance(of=of):
            return (of,)
        case Ratio(of=first, to=second) | Provided(of=first, there_is=second):
            return (first, second)
        case Either(signals=signals):
            return signals
        case Value() | Rate() | Added() | Slope() | Extreme() | Changes() | Quantile():
            return ()


def selected(signal: Signal) -> Iterator[tuple[Series, float]]:
    """Yield the series that `signal` reads, each with how many seconds back."""
    match signal:
        case Value(series=series):
            yield series, 0.0
        case Extreme(series=series, over_s=over_s, ago_s=ago_s):
            yield series, over_s + ago_s
        case Added(series=series, over_s=over_s):
            yield series, over_s
            yield OURS, over_s
        case Rate(series=series, over_s=over_s):
            yield series, over_s
        case Slope(series=series, over_s=over_s) | Changes(series=series, over_s=over_s):
            yield series, over_s
        case Quantile(over_s=over_s):
            yield signal.buckets(), over_s
        case _:
            for one in inner(signal):
                yield from selected(one)
