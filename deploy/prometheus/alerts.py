"""Makes alert and recording rules of the table of troubles and of the objectives."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from clarion.rules.objectives import BURNS, OBJECTIVES, Burn, Objective
from clarion.rules.promql import alert_expression, duration, promql
from clarion.rules.rule import Rule, Unit
from clarion.rules.troubles import GROUPS

# How Prometheus writes a value with its unit.
_VALUES: Final[dict[Unit, str]] = {
    "number": '{{ printf "%.0f" $value }}',
    "share": "{{ $value | humanizePercentage }}",
    "seconds": "{{ $value | humanizeDuration }}",
    "bytes": "{{ $value | humanize1024 }}B",
    "per second": '{{ printf "%.3g" $value }} a second',
}

STAYS_S: Final = 300.0

Groups = dict[str, list[dict[str, Any]]]


def alerts(runbook: str, troubles: Mapping[str, Sequence[Rule]] = GROUPS) -> Groups:
    """Return the alert rules of all troubles. `runbook` is the address of the runbook's page."""
    groups = [_group(name, (_alert(rule, runbook) for rule in rules)) for name, rules in troubles.items()]
    return {"groups": groups}


def objectives(runbook: str, burns: Sequence[Burn] = BURNS, stays_s: float = STAYS_S) -> Groups:
    """Return the recording rules of the objectives, and an alert for each pair of windows.

    A burn that has ended is shown for `stays_s` more, so that it does not come and go.
    """
    recorded = [_group(f"{one.title}, recorded", _records(one, burns)) for one in OBJECTIVES]
    burning = [_group(one.title, (_burn(one, burn, runbook, stays_s) for burn in burns)) for one in OBJECTIVES]
    return {"groups": [*recorded, *burning]}


def alert_name(title: str) -> str:
    """Return what a trouble's alert is called."""
    return "Clarion" + "".join(word[0].upper() + word[1:] for word in title.split())


def _group(name: str, rules: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return {"name": f"clarion: {name.lower()}", "rules": list(rules)}


def _alert(rule: Rule, runbook: str) -> dict[str, Any]:
    name, threshold = alert_name(rule.title), rule.threshold
    made: dict[str, Any] = {"alert": name, "expr": alert_expression(rule, name)}
    if threshold.for_s:
        made["for"] = duration(threshold.for_s)
    if threshold.clear_s:
        made["keep_firing_for"] = duration(threshold.clear_s)
    made["labels"] = {"severity": rule.severity, "rule": rule.id}
    made["annotations"] = _annotations(rule, templated(rule.what, rule.unit), runbook)
    return made


def _annotations(about: Rule | Objective, summary: str, runbook: str) -> dict[str, str]:
    return {
        "summary": f"{summary}.",
        "description": f"{about.cause} {about.cure}",
        "runbook_url": f"{runbook}#{about.id}",
    }


def templated(what: str, unit: Unit) -> str:
    """Return a sentence with labels and `{value}` in braces as a template of Prometheus."""

    def filled(found: re.Match[str]) -> str:
        return _VALUES[unit] if found[1] == "value" else f"{{{{ $labels.{found[1]} }}}}"

    return re.sub(r"\{(\w+)\}", filled, what)


def _records(objective: Objective, burns: Sequence[Burn]) -> Iterator[dict[str, Any]]:
    windows = sorted(set(chain.from_iterable((burn.long_s, burn.short_s) for burn in burns)))
    for window_s in windows:
        yield {"record": _share(objective, window_s), "expr": promql(objective.bad_share(window_s))}
    for burn in burns:
        yield {"record": _events(objective, burn.long_s), "expr": promql(objective.events(burn.long_s))}


def _burn(objective: Objective, burn: Burn, runbook: str, stays_s: float) -> dict[str, Any]:
    limit = f"{burn.factor * objective.budget:.6g}"
    long, short = duration(burn.long_s), duration(burn.short_s)
    over = f"{burn.factor:g} times as fast as it may, over {long} and {short}"
    return {
        "alert": alert_name(objective.title),
        "expr": (
            f"({_share(objective, burn.long_s)} > {limit}) and ({_share(objective, burn.short_s)} > {limit})"
            f" and ({_events(objective, burn.long_s)} >= {objective.events_at_least(burn):.6g})"
        ),
        "keep_firing_for": duration(stays_s),
        "labels": {"severity": burn.severity, "rule": objective.id, "long": long, "short": short},
        "annotations": _annotations(objective, f"{templated(objective.what, 'share')}: {over}", runbook),
    }


def _share(objective: Objective, window_s: float) -> str:
    return f"{objective.record}:ratio_rate{duration(window_s)}"


def _events(objective: Objective, window_s: float) -> str:
    return f"{objective.record}:events_rate{duration(window_s)}"
