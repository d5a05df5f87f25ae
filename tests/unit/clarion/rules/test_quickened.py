"""Rules on a quicker clock: times shrink by one factor, and all else stays."""

from dataclasses import replace

import pytest

from clarion.rules.objectives import BURNS
from clarion.rules.quickened import Clock, burns_by, groups_by, quickened, signal_by
from clarion.rules.rule import Rule
from clarion.rules.signals import Combined, Extreme, Rate, Ratio, Series, Signal, Value, inner, selected
from clarion.rules.troubles import GROUPS, TROUBLES

EACH = pytest.mark.parametrize("rule", TROUBLES, ids=lambda rule: rule.id)
N = Series("n_total")


def shape(signal: Signal) -> list[object]:
    """What a signal is made of, without its times."""
    plain = {name: 0.0 for name in ("over_s", "ago_s") if hasattr(signal, name)}
    parts = [shape(part) for part in inner(signal)]
    return [type(signal).__name__, parts] if parts else [replace(signal, **plain)]


def test_a_clock_that_is_not_quicker_changes_nothing() -> None:
    clock = Clock(1.0)
    assert groups_by(clock) == GROUPS
    assert burns_by(clock) == BURNS


def test_windows_and_waits_are_divided() -> None:
    clock = Clock(10.0)
    assert signal_by(Rate(N, 600), clock) == Rate(N, 60)
    assert signal_by(Extreme("max", N, 1200, ago_s=3600), clock) == Extreme("max", N, 120, ago_s=360)
    assert clock.wait(120) == 12


def test_windows_and_waits_stay_long_enough_for_a_few_samples() -> None:
    clock = Clock(10.0, window_s=10.0, wait_s=5.0)
    assert (clock.window(60), clock.wait(15)) == (10, 5)


def test_what_is_shorter_than_that_stays_as_it_is() -> None:
    clock = Clock(10.0, window_s=10.0, wait_s=5.0)
    assert (clock.window(7), clock.wait(0)) == (7, 0)


def test_the_parts_of_a_signal_are_quickened_as_well() -> None:
    slow = Ratio(Combined("sum", Rate(N, 600)), Value(N))
    assert signal_by(slow, Clock(10.0)) == Ratio(Combined("sum", Rate(N, 60)), Value(N))


@EACH
def test_no_rule_changes_but_in_its_times(rule: Rule) -> None:
    quick = quickened(rule, Clock(10.0))
    assert shape(quick.signal) == shape(rule.signal)
    assert (quick.volume is None) == (rule.volume is None)
    if quick.volume and rule.volume:
        assert shape(quick.volume.of) == shape(rule.volume.of)
        assert quick.volume.at_least == rule.volume.at_least
    same = replace(quick, signal=rule.signal, volume=rule.volume, threshold=rule.threshold)
    assert same == rule
    times = {"for_s": rule.threshold.for_s, "clear_s": rule.threshold.clear_s}
    assert replace(quick.threshold, **times) == rule.threshold


@EACH
def test_no_rule_reads_further_back_on_a_quicker_clock(rule: Rule) -> None:
    before, after = list(selected(rule.signal)), list(selected(quickened(rule, Clock(10.0)).signal))
    assert all(quick <= slow for (_, quick), (_, slow) in zip(after, before, strict=True))
