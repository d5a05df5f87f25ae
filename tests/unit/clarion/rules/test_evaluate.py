"""Signals evaluated over samples: vectors, their labels, and how they are combined."""

import math

import pytest

from clarion.rules.evaluate import Vector, evaluate
from clarion.rules.history import History, Sample
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
    highest,
    total,
)

SENT, FAILED, LAG = Series("sent_total"), Series("failed_total"), Series("lag")


def valued(signal: Signal, *passes: list[Sample], step_s: float = 10.0) -> Vector:
    history = History([signal])
    for index, samples in enumerate(passes):
        history.add(index * step_s, samples)
    return evaluate(signal, history, (len(passes) - 1) * step_s)


def sent(value: float, **labels: str) -> Sample:
    return Sample("sent_total", labels, value)


def lag(value: float, **labels: str) -> Sample:
    return Sample("lag", labels, value)


def test_a_rate_is_a_second() -> None:
    passes = [[sent(100 + 50 * i, lane="low")] for i in range(7)]
    assert valued(Rate(SENT, 60), *passes) == {(("lane", "low"),): pytest.approx(5.0)}


def test_a_sum_drops_labels_of_processes_and_keeps_all_others() -> None:
    now = [lag(1, instance="a", namespace="x"), lag(2, instance="b", namespace="x"), lag(4, namespace="y")]
    assert valued(total(Value(LAG)), now) == {(("namespace", "x"),): 3.0, (("namespace", "y"),): 4.0}
    assert valued(highest(Value(LAG), "namespace"), now) == {(): 4.0}
    assert valued(Combined("min", Value(LAG), ("instance", "namespace")), now) == {(): 1.0}


def test_new_series_count_from_zero_and_old_by_their_increase() -> None:
    added, ours = Added(SENT, 30, ("lane",)), Sample(OURS.name, {}, 0.0)
    old = [[ours, sent(100, lane="low")]] * 4
    assert valued(added, *old) == {}
    assert valued(added, *old, [ours, sent(100, lane="low"), sent(2, lane="high")]) == {(("lane", "high"),): 2.0}
    rising = [[ours, sent(100)], [ours, sent(100)], [ours, sent(110)], [ours, sent(110)]]
    assert valued(added, *rising) == {(): pytest.approx(10.0)}


def test_old_counts_of_a_process_first_seen_are_no_news() -> None:
    assert valued(Added(SENT, 30, ("lane",)), *[[Sample(OURS.name, {}, 0.0), sent(100, lane="low")]] * 3) == {}


def test_ratios_meet_by_equal_labels_and_divide_by_zero() -> None:
    now = [Sample("a", {"x": "1"}, 3.0), Sample("b", {"x": "1"}, 6.0), Sample("a", {"x": "2"}, 1.0)]
    ratio = Ratio(Value(Series("a")), Value(Series("b")))
    assert valued(ratio, now) == {(("x", "1"),): 0.5}
    assert valued(Remainder(ratio), now) == {(("x", "1"),): 0.5}
    assert valued(ratio, [Sample("a", {}, 1.0), Sample("b", {}, 0.0)]) == {(): math.inf}
    assert math.isnan(valued(ratio, [Sample("a", {}, 0.0), Sample("b", {}, 0.0)])[()])


def test_a_slope_and_extremes_are_of_their_window() -> None:
    passes = [[lag(value)] for value in (9.0, 1.0, 2.0, 3.0)]
    assert valued(Slope(LAG, 20), *passes) == {(): pytest.approx(0.1)}
    assert valued(Extreme("max", LAG, 20), *passes) == {(): 3.0}
    assert valued(Extreme("max", LAG, 10, ago_s=20), *passes) == {(): 9.0}
    assert valued(Changes(LAG, 30), *passes) == {(): 3.0}


def test_a_quantile_is_over_all_processes() -> None:
    def observed(n: float) -> list[Sample]:
        bounds = (("0.1", n), ("1.0", 2 * n), ("+Inf", 2 * n))
        return [Sample("t_bucket", {"le": le, "instance": i}, 500 + v) for le, v in bounds for i in ("a", "b")]

    passes = [observed(10 * i) for i in range(7)]
    assert valued(Quantile(0.75, Series("t"), 60), *passes) == {(): pytest.approx(0.55)}


def test_either_and_provided_choose_by_labels() -> None:
    now = [lag(1, lane="low"), Sample("other", {"lane": "low"}, 5.0), Sample("other", {"lane": "high"}, 6.0)]
    other = Value(Series("other"))
    assert valued(Either((Value(LAG), other)), now) == {(("lane", "low"),): 1.0, (("lane", "high"),): 6.0}
    assert valued(Provided(other, Value(LAG)), now) == {(("lane", "low"),): 5.0}
    assert valued(Distance(Value(LAG)), [lag(-3)]) == {(): 3.0}
