"""The newest samples of the series that rules read, and of no others. Pure: samples and times are passed in."""

import math
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from clarion.rules.signals import Matchers, Series, Signal, selected

LOOKBACK_S: Final = 300.0  # as Prometheus: an older sample is no value of now
MOST_SERIES: Final = 5_000
_MARGIN_S: Final = 60.0  # kept beyond what is read back, since samples do not come at the very moment
_GONE: Final = math.nan  # marks that a series was not there any more

Labels = tuple[tuple[str, str], ...]  # in the order of their names


class Sample(NamedTuple):
    """One value of one series, as a registry or a scrape tells it."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(slots=True)
class _Ring:
    """The samples of one series, oldest first."""

    keep_s: float
    times: "array[float]" = field(default_factory=lambda: array("d"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, at: float, value: float) -> None:
        self.times.append(at)
        self.values.append(value)
        if self.times[0] < at - 1.25 * self.keep_s:  # not at each sample, since the others have to move
            old = bisect_left(self.times, at - self.keep_s)
            del self.times[:old], self.values[:old]

    def is_gone(self) -> bool:
        return math.isnan(self.values[-1])


@dataclass(slots=True)
class _Named:
    """All series of one name: which are kept, for how long, and which of them each signal has asked for."""

    keep_s: float = _MARGIN_S
    where: list[Matchers] = field(default_factory=list[Matchers])
    rings: dict[Labels, _Ring] = field(default_factory=dict[Labels, _Ring])
    _chosen: dict[Labels, list[tuple[Labels, _Ring]]] = field(default_factory=dict[Labels, list[tuple[Labels, _Ring]]])

    def put(self, labels: Labels, ring: _Ring) -> None:
        self.rings[labels] = ring
        self._chosen.clear()

    def drop(self, labels: Labels) -> None:
        del self.rings[labels]
        self._chosen.clear()

    def choose(self, where: Matchers) -> list[tuple[Labels, _Ring]]:
        key = tuple(where.items())
        if key not in self._chosen:
            self._chosen[key] = [one for one in self.rings.items() if matches(where, dict(one[0]))]
        return self._chosen[key]


class History:
    """Samples of the series that `signals` read, for as long as they read back."""

    def __init__(self, signals: Iterable[Signal], most: int = MOST_SERIES) -> None:
        self._most: Final = most
        self._named: Final[dict[str, _Named]] = {}
        # what became of each series that was seen, by its labels as they came: they need not be matched again
        self._known: Final[dict[tuple[str, Labels], _Ring | None]] = {}
        self._held = 0
        self.left_out = 0  # series for which there was no room, at the last `add`
        for signal in signals:
            for series, over_s in selected(signal):
                named = self._named.setdefault(series.name, _Named())
                named.keep_s = max(named.keep_s, over_s + _MARGIN_S)
                if series.where not in named.where:
                    named.where.append(series.where)

    @property
    def names(self) -> list[str]:
        """Return the names of all samples that are kept."""
        return list(self._named)

    def __len__(self) -> int:
        return self._held

    def add(self, at: float, samples: Iterable[Sample]) -> None:
        """Add what all series are at a moment. A series that is not among them has ended."""
        self.left_out = 0
        for name, labels, value in samples:
            if name in self._named and not math.isnan(value) and (ring := self._ring(name, labels)):
                ring.add(at, value)
        self._end(at)

    def _ring(self, name: str, labels: Mapping[str, str]) -> _Ring | None:
        """Return the ring of a series; None if no signal reads it, or there is no room."""
        key = (name, tuple(labels.items()))
        if key in self._known:
            return self._known[key]
        if len(self._known) > 2 * self._most:  # series that nobody reads are forgotten as well
            self._known.clear()
        named = self._named[name]
        ordered = tuple(sorted(labels.items()))
        if not any(matches(where, labels) for where in named.where):
            self._known[key] = None
            return None
        ring = named.rings.get(ordered)
        if ring is None:
            if self._held >= self._most:
                self.left_out += 1
                return None
            self._held += 1
            ring = _Ring(named.keep_s)
            named.put(ordered, ring)
        self._known[key] = ring
        return ring

    def _end(self, at: float) -> None:
        """Mark the series that have ended, and forget those that ended long ago."""
        for named in self._named.values():
            ended = [labels for labels, ring in named.rings.items() if ring.times[-1] != at]
            for labels in ended:
                ring = named.rings[labels]
                if not ring.is_gone():
                    ring.add(at, _GONE)
                elif at - ring.times[-1] > ring.keep_s:
                    named.drop(labels)
                    self._held -= 1
                    self._known.clear()

    def latest(self, series: Series, at: float) -> Iterator[tuple[Labels, float]]:
        """Yield each series' value at a moment: its newest sample, if that is no older than `LOOKBACK_S`."""
        for labels, ring in self._of(series):
            index = bisect_right(ring.times, at) - 1
            if index >= 0 and ring.times[index] > at - LOOKBACK_S and not math.isnan(ring.values[index]):
                yield labels, ring.values[index]

    def between(
        self, series: Series, start: float, end: float, at_least: int = 1
    ) -> "Iterator[tuple[Labels, array[float], array[float]]]":
        """Yield each series' times and values from `start` to `end`, if there are `at_least` so many."""
        for labels, ring in self._of(series):
            first, last = bisect_left(ring.times, start), bisect_right(ring.times, end)
            times, values = ring.times[first:last], ring.values[first:last]
            if any(map(math.isnan, values)):
                there = [i for i, value in enumerate(values) if not math.isnan(value)]
                times, values = array("d", (times[i] for i in there)), array("d", (values[i] for i in there))
            if len(times) >= at_least:
                yield labels, times, values

    def _of(self, series: Series) -> list[tuple[Labels, _Ring]]:
        named = self._named.get(series.name)
        return named.choose(series.where) if named else []


def matches(where: Matchers, labels: Mapping[str, str]) -> bool:
    """Return whether the labels match. A label that is not there counts as empty, as for Prometheus."""
    return all(_matches(value, labels.get(label, "")) for label, value in where.items())


def _matches(wanted: str, value: str) -> bool:
    return bool(re.fullmatch(wanted[1:], value)) if wanted.startswith("~") else value == wanted
