"""The alert and recording rules: each has what an alert needs, and burns are told over two windows."""

import re
from typing import Any

import pytest

from clarion.rules.objectives import BURNS, OBJECTIVES
from clarion.rules.troubles import TROUBLES
from deploy.prometheus.alerts import alerts, objectives, templated

PAGE = "https://docs.example/runbook.html"


def rules(groups: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [rule for group in groups["groups"] for rule in group["rules"]]


ALERTS = rules(alerts(PAGE))
BURNING = [rule for rule in rules(objectives(PAGE)) if "alert" in rule]
RECORDED = [rule for rule in rules(objectives(PAGE)) if "record" in rule]


def test_each_trouble_has_one_alert() -> None:
    assert [rule["labels"]["rule"] for rule in ALERTS] == [rule.id for rule in TROUBLES]
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)


@pytest.mark.parametrize("rule", [*ALERTS, *BURNING], ids=lambda rule: rule["alert"])
def test_an_alert_has_a_severity_a_summary_and_a_runbook_url(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"Clarion[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    notes = rule["annotations"]
    assert notes["runbook_url"] == f"{PAGE}#{rule['labels']['rule']}"
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    assert not re.search(r"(?<!\{)\{\w+\}(?!\})", notes["summary"])


def test_no_rule_assumes_a_label_of_targets() -> None:
    for rule in [*ALERTS, *BURNING, *RECORDED]:
        assert not re.search(r"\bby\s*\(|\bon\s*\(|\b(job|instance|namespace|cluster|pod)=", rule["expr"]), rule["expr"]
        assert "vector(0)" not in rule["expr"]


def test_each_objective_is_told_at_four_speeds_over_two_windows() -> None:
    assert len(BURNING) == len(BURNS) * len(OBJECTIVES)
    told = {(rule["labels"]["long"], rule["labels"]["short"], rule["labels"]["severity"]) for rule in BURNING}
    assert told == {
        ("1h", "5m", "critical"), ("6h", "30m", "critical"), ("1d", "2h", "warning"), ("3d", "6h", "warning"),
    }  # fmt: skip


def test_each_burn_reads_recorded_series_and_needs_enough_events() -> None:
    recorded = {rule["record"] for rule in RECORDED}
    for rule in BURNING:
        read = re.findall(r"\(([a-z_:0-9]+) [>]=? ([\d.]+)\)", rule["expr"])
        assert len(read) == 3
        assert {name for name, _ in read} <= recorded
        assert rule["expr"].count(">=") == 1


def test_the_fastest_burn_of_deliveries_is_at_14_percent_late() -> None:
    (fastest,) = [r for r in BURNING if r["labels"]["rule"] == "delivery-budget-burns" and r["labels"]["long"] == "1h"]
    assert "ratio_rate1h > 0.144" in fastest["expr"]
    assert "ratio_rate5m > 0.144" in fastest["expr"]
    # ten late ones of 70 within an hour
    (least,) = re.findall(r"events_rate1h >= ([\d.]+)", fastest["expr"])
    assert float(least) * 3600 == pytest.approx(10 / 0.144, rel=1e-3)


def test_a_sentence_becomes_a_template_of_prometheus() -> None:
    assert templated("{lane} has {value}", "share") == "{{ $labels.lane }} has {{ $value | humanizePercentage }}"
