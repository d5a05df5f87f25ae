"""The interpreter of signals that computes them from samples, as Prometheus would. Pure."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from clarion.rules import over_time
from clarion.rules.history import History, Labels
from clarion.rules.signals import (
    OURS,
    Added,
    Changes,
    Combined,
    Distance,
    Either,
    Extreme,
    Provided,
    Quantile,
    Rate,
    Ratio,
    Remainder,
    Series,
    Signal,
    Slope,
    Value,
)

Vector = dict[Labels, float]

_HOW: Final[dict[str, Callable[[Iterable[float]], float]]] = {"sum": sum, "max": max, "min": min}


def evaluate(signal: Signal, history: History, at: float) -> Vector:
    """Return the signal's value for each combination of labels. What there are no samples of has none."""
    match signal:
        case Value(series=series):
            return dict(history.latest(series, at))
        case Rate(series=series, over_s=over_s):
            return {labels: rose / over_s for labels, rose in _increases(history, series, at, over_s)}
        case Added():
            return _added(signal, history, at)
        case Slope(series=series, over_s=over_s):
            found = history.between(series, at - over_s, at, at_least=2)
            return {labels: over_time.slope(times, values) for labels, times, values in found}
        case Extreme(which=which, series=series, over_s=over_s, ago_s=ago_s):
            end = at - ago_s
            extreme = min if which == "min" else max
            return {labels: extreme(values) for labels, _, values in history.between(series, end - over_s, end)}
        case Changes(series=series, over_s=over_s):
            found = history.between(series, at - over_s, at)
            return {labels: float(over_time.changes(values)) for labels, _, values in found}
        case Quantile(q=q, over_s=over_s, away=away):
            rates = ((labels, rose / over_s) for labels, rose in _increases(history, signal.buckets(), at, over_s))
            return dict(_quantiles(q, _combined(sum, rates, away)))
        case Combined(how=how, of=of, away=away):
            return _combined(_HOW[how], evaluate(of, history, at).items(), away)
        case Ratio(of=of, to=to):
            above, below = evaluate(of, history, at), evaluate(to, history, at)
            return {labels: _divided(value, below[labels]) for labels, value in above.items() if labels in below}
        case Remainder(of=of):
            return {labels: 1 - value for labels, value in evaluate(of, history, at).items()}
        case Distance(of=of):
            return {labels: abs(value) for labels, value in evaluate(of, history, at).items()}
        case Either(signals=signals):
            either: Vector = {}
            for one in signals:
                either = evaluate(one, history, at) | either
            return either
        case Provided(of=of, there_is=there_is):
            there = evaluate(there_is, history, at)
            return {labels: value for labels, value in evaluate(of, history, at).items() if labels in there}


def _increases(history: History, series: Series, at: float, over_s: float) -> Iterator[tuple[Labels, float]]:
    start = at - over_s
    for labels, times, values in history.between(series, start, at, at_least=2):
        yield labels, over_time.increase(times, values, start, at)


def _added(signal: Added, history: History, at: float) -> Vector:
    then = at - signal.over_s
    before = dict(history.latest(signal.series, then))
    was_seen = dict(history.latest(OURS, then))
    new = {
        labels: value
        for labels, value in history.latest(signal.series, at)
        if labels not in before and _without(labels, signal.labels) in was_seen
    }
    return new | {labels: rose for labels, rose in _increases(history, signal.series, at, signal.over_s) if rose > 0}


def _combined(
    how: Callable[[Iterable[float]], float], vector: Iterable[tuple[Labels, float]], away: tuple[str, ...]
) -> Vector:
    groups: dict[Labels, list[float]] = {}
    for labels, value in vector:
        groups.setdefault(_without(labels, away), []).append(value)
    return {labels: how(values) for labels, values in groups.items()}


def _quantiles(q: float, buckets: Vector) -> Iterator[tuple[Labels, float]]:
    histograms: dict[Labels, list[tuple[float, float]]] = {}
    for labels, rate in buckets.items():
        bound = float(dict(labels)["le"])
        histograms.setdefault(_without(labels, ("le",)), []).append((bound, rate))
    for labels, found in histograms.items():
        yield labels, over_time.quantile(q, found)


def _without(labels: Labels, away: tuple[str, ...]) -> Labels:
    return tuple(pair for pair in labels if pair[0] not in away)


def _divided(above: float, below: float) -> float:
    """Divide as Prometheus does: by zero there comes infinity, or no number."""
    if below:
        return above / below
    return math.copysign(math.inf, above) if above else math.nan
