"""A watch: when a rule begins to hold, when it ends, and what its findings say."""

from collections.abc import Sequence

from clarion.rules.history import Sample
from clarion.rules.rule import Rule, Threshold, Volume, above, below
from clarion.rules.signals import Series, Value
from clarion.rules.watch import Watch, findings_of, written

LAG = Series("lag")


def rule(threshold: Threshold, volume: Volume | None = None) -> Rule:
    return Rule(
        id="behind",
        title="Behind",
        severity="warning",
        what="The lane {lane} is behind by {value}",
        cause="It is slow.",
        cure="Make it fast.",
        signal=Value(LAG),
        threshold=threshold,
        volume=volume,
        unit="seconds",
    )


def held(watch: Watch, values: Sequence[float | None], step_s: float = 5.0) -> list[bool]:
    """Whether the rule holds after each value; None is a sample that is missing."""
    found: list[bool] = []
    for index, value in enumerate(values):
        samples = [] if value is None else [Sample("lag", {"lane": "low"}, value)]
        found.append(bool(watch.look(index * step_s, samples)))
    return found


def test_a_rule_holds_once_its_signal_was_beyond_for_long_enough() -> None:
    watch = Watch([rule(above(10, for_s=10, clear_s=0))])
    assert held(watch, [11, 11, 11, 11, 9, 11]) == [False, False, True, True, False, False]


def test_a_moment_below_the_threshold_begins_the_time_anew() -> None:
    watch = Watch([rule(above(10, for_s=10, clear_s=0))])
    assert held(watch, [11, 11, 9, 11, 11, 11]) == [False, False, False, False, False, True]


def test_a_rule_that_holds_does_so_until_the_other_threshold() -> None:
    watch = Watch([rule(above(10, clear=5, for_s=0, clear_s=0))])
    assert held(watch, [7, 11, 7, 6, 5, 7]) == [False, True, True, True, False, False]


def test_a_rule_ends_only_after_its_time_to_clear() -> None:
    watch = Watch([rule(above(10, for_s=0, clear_s=10))])
    assert held(watch, [11, 1, 1, 1, 1]) == [True, True, True, False, False]
    watch = Watch([rule(above(10, for_s=0, clear_s=10))])
    assert held(watch, [11, 1, 1, 11, 1, 1, 1]) == [True, True, True, True, True, True, False]


def test_what_must_not_be_low_holds_below_its_threshold() -> None:
    watch = Watch([rule(below(2, clear=3, for_s=0, clear_s=0))])
    assert held(watch, [2, 1, 2, 3]) == [False, True, True, False]


def test_a_rule_does_not_begin_to_hold_without_enough_volume() -> None:
    watch = Watch([rule(above(10, clear=5, for_s=0, clear_s=0), Volume(Value(LAG), 20))])
    assert held(watch, [15, 20, 15, 4]) == [False, True, True, False]


def test_a_signal_that_is_not_there_is_no_trouble() -> None:
    watch = Watch([rule(below(2, for_s=0, clear_s=0))])
    assert held(watch, [None, 1, None, None]) == [False, True, False, False]
    assert watch.seen == {"behind"}
    assert Watch([rule(below(2, for_s=0, clear_s=0))]).seen == set()


def test_each_combination_of_labels_is_a_case_of_its_own() -> None:
    watch = Watch([rule(above(10, for_s=0, clear_s=0))])
    found = watch.look(0, [Sample("lag", {"lane": "low"}, 70.0), Sample("lag", {"lane": "high"}, 1.0)])
    assert [(finding.labels, finding.value, finding.since) for finding in found] == [({"lane": "low"}, 70.0, 0)]
    assert found[0].reason() == (
        "The lane low is behind by 70 s. It is slow. Make it fast. See docs/runbook.md#behind."
    )


def test_one_scrape_tells_what_monitors_have_found() -> None:
    rules = [rule(above(10, for_s=0, clear_s=0))]
    scraped = [
        Sample("clarion_trouble", {"rule": "behind", "instance": "a"}, 1.0),
        Sample("clarion_trouble", {"rule": "behind", "instance": "b"}, 0.0),
        Sample("clarion_trouble", {"rule": "of another version", "instance": "b"}, 1.0),
    ]
    (finding,) = findings_of(scraped, rules)
    assert (finding.rule.id, finding.labels, finding.sentence()) == ("behind", {"instance": "a"}, "Behind")


def test_values_are_written_with_their_units() -> None:
    assert [written(0.0712, "share"), written(3 * 2**20, "bytes"), written(1234567, "number")] == [
        "7.1%", "3 MiB", "1,234,567",
    ]  # fmt: skip
    assert [written(0.25, "seconds"), written(1234, "seconds"), written(2.5, "per second")] == [
        "0.25 s", "1,234 s", "2.5 a second",
    ]  # fmt: skip
