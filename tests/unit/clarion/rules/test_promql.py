"""Signals and rules as PromQL, text by text; that both interpreters agree is tested against Prometheus itself."""

import pytest

from clarion.rules.promql import alert_expression, duration, promql
from clarion.rules.rule import Rule, Threshold, Volume, above, below
from clarion.rules.signals import Added, Extreme, Quantile, Rate, Ratio, Series, Signal, Value, total

LAG = Series("lag", {"lane": "low"})
ADDED = (
    "(increase(n_total[1m]) > 0 or ((n_total unless n_total offset 1m)"
    " and ignoring (why) clarion_logs_dropped_total offset 1m))"
)
FIRING = 'and ignoring (alertname, alertstate, rule, severity) ALERTS{alertname="A", alertstate="firing"}'


@pytest.mark.parametrize(
    ("signal", "written"),
    [
        (Value(LAG), 'lag{lane="low"}'),
        (Rate(Series("n_total", {"status": "~5..", "x": 'a"b'}), 300), 'rate(n_total{status=~"5..", x="a\\"b"}[5m])'),
        (
            Added(Series("n_total"), 60, ("why",)),
            ADDED,
        ),
        (Extreme("max", LAG, 90, 3600), 'max_over_time(lag{lane="low"}[90s] offset 1h)'),
        (Quantile(0.5, Series("t"), 60, ("pod",)), "histogram_quantile(0.5, sum without (pod) (rate(t_bucket[1m])))"),
        (Ratio(Value(Series("a")), Value(Series("b"))), "(a / b)"),
        (total(Value(Series("a")), "x"), "sum without (container, endpoint, instance, node, pod, x) (a)"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_signal_is_written_as_prometheus_reads_it(signal: Signal, written: str) -> None:
    assert promql(signal) == written


def test_durations_have_their_largest_unit() -> None:
    assert [duration(seconds) for seconds in (5, 90, 300, 21_600, 259_200)] == ["5s", "90s", "5m", "6h", "3d"]


def rule(threshold: Threshold, volume: Volume | None = None) -> Rule:
    return Rule("a", "A", "info", "", "", "", Value(Series("x")), threshold, volume)


def test_an_alert_with_one_threshold_compares_with_it() -> None:
    assert alert_expression(rule(above(5, for_s=0, clear_s=0)), "A") == "x > 5"
    assert alert_expression(rule(below(0.25, for_s=0, clear_s=0)), "A") == "x < 0.25"


def test_an_alert_that_fires_stays_until_its_other_threshold() -> None:
    written = alert_expression(rule(above(5, clear=2, for_s=0, clear_s=0)), "A")
    assert written == f"(x > 5) or ((x > 2) {FIRING})"


def test_an_alert_begins_with_enough_volume_and_stays_without() -> None:
    written = alert_expression(rule(above(5, for_s=0, clear_s=0), Volume(Value(Series("n")), 10)), "A")
    assert written == f"((x > 5) and (n >= 10)) or ((x > 5) {FIRING})"
