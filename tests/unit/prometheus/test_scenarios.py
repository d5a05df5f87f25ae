"""Each rule sees its trouble in time and ends with it, as the monitor evaluates it and as Prometheus' own tool does."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from clarion.rules.history import Sample
from clarion.rules.troubles import TROUBLES
from clarion.rules.watch import Watch
from deploy.prometheus.alerts import alert_name, alerts
from tests.unit.prometheus.scenarios import SCENARIOS, STEP_S, Samples, Scenario

PROMTOOL = shutil.which("promtool")
RULES = {rule.id: rule for rule in TROUBLES}


def parsed(series: str) -> tuple[str, dict[str, str]]:
    name, _, rest = series.partition("{")
    return name, dict(re.findall(r'(\w+)="([^"]*)"', rest))


def held(scenario: Scenario) -> list[set[tuple[tuple[str, str], ...]]]:
    """For which labels the rule holds at each step."""
    watch, found = Watch([RULES[scenario.rule]]), list[set[tuple[tuple[str, str], ...]]]()
    series = [(*parsed(name), samples) for name, samples in scenario.series.items()]
    for step in range(max(map(len, scenario.series.values()))):
        now = [
            Sample(name, labels, value)
            for name, labels, samples in series
            if step < len(samples) and (value := samples[step]) is not None
        ]
        findings = watch.look(step * STEP_S, now)
        found.append({tuple(sorted(finding.labels.items())) for finding in findings})
    return found


def at(minutes: float) -> int:
    return round(minutes * 60 / STEP_S)


def test_each_rule_has_a_scenario() -> None:
    assert [scenario.rule for scenario in SCENARIOS] == [rule.id for rule in TROUBLES]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.rule)
def test_the_monitor_sees_each_trouble_and_its_end(scenario: Scenario) -> None:
    found = held(scenario)
    assert not any(found[: at(scenario.before)])
    assert found[at(scenario.during)]
    assert not found[at(scenario.after)]


def written(samples: Samples) -> str:
    """The samples as promtool takes them. A series that ends is stale at once, as when a scrape does not have it."""
    parts, was_there = list[str](), False
    for sample in samples:
        parts.append(repr(float(sample)) if sample is not None else "stale" if was_there else "_")
        was_there = sample is not None
    return " ".join(parts)


def steps(found: list[set[tuple[tuple[str, str], ...]]]) -> list[int]:
    """The steps to compare: both sides of each change, and one each five minutes."""
    changes = {step + side for step in range(1, len(found)) if found[step] != found[step - 1] for side in (-1, 0)}
    return sorted(changes | set(range(0, len(found), 20)))


def of(scenario: Scenario, series: str) -> str:
    """The series with a label of its scenario, so that all scenarios are played at once."""
    name, labels = parsed(series)
    return written_series(name, labels | {"scenario": scenario.rule})


def written_series(name: str, labels: Mapping[str, str]) -> str:
    pairs = ", ".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}"


def expectations(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """That the alert fires at the very steps at which the monitor sees the trouble."""
    rule, found = RULES[scenario.rule], held(scenario)
    alert = {"alertname": alert_name(rule.title), "alertstate": "firing", "scenario": scenario.rule}
    for step in steps(found):
        firing = [dict(labels) | alert | {"rule": rule.id, "severity": rule.severity} for labels in sorted(found[step])]
        yield {
            "expr": written_series("ALERTS", alert),
            "eval_time": f"{step * STEP_S}s",
            "exp_samples": [{"labels": written_series("ALERTS", labels), "value": 1} for labels in firing],
        }


@pytest.mark.slow
@pytest.mark.prometheus
def test_alerts_fire_at_the_same_steps_as_the_monitor_finds(tmp_path: Path) -> None:
    if PROMTOOL is None:
        pytest.skip("no promtool here: apt-get install prometheus")
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(alerts("docs/runbook.md"), width=1_000_000))
    played = {
        "interval": f"{STEP_S}s",
        "input_series": [
            {"series": of(scenario, series), "values": written(samples)}
            for scenario in SCENARIOS
            for series, samples in scenario.series.items()
        ],
        "promql_expr_test": [expectation for scenario in SCENARIOS for expectation in expectations(scenario)],
    }
    content = {"rule_files": ["alerts.yml"], "evaluation_interval": f"{STEP_S}s", "tests": [played]}
    (tmp_path / "test.yml").write_text(json.dumps(content))  # which is YAML, and written in no time
    run = [PROMTOOL, "test", "rules", str(tmp_path / "test.yml")]
    done = subprocess.run(run, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
