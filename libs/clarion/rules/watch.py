"""Looks at all rules again and again, and says which hold: with their thresholds' hysteresis, as alerts do. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clarion.rules.evaluate import evaluate
from clarion.rules.history import MOST_SERIES, History, Labels, Sample
from clarion.rules.rule import Rule, Unit
from clarion.rules.signals import Signal


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that holds: since when, for which labels, and what the signal is now. `since` is None if it is unknown."""

    rule: Rule
    labels: Mapping[str, str]
    value: float | None
    since: float | None

    def sentence(self) -> str:
        """Return what is wrong, in words; only the title where neither labels nor value are known."""
        if self.value is None:
            return self.rule.title
        return self.rule.what.format_map(_Known({**self.labels, "value": written(self.value, self.rule.unit)}))

    def reason(self) -> str:
        """Return what is wrong, why, and what to do, for the health report."""
        return f"{self.sentence()}. {self.rule.cause} {self.rule.cure} See {self.rule.runbook}."


@dataclass(slots=True)
class _Case:
    """A rule and labels for which the signal is, or lately was, beyond the threshold."""

    began: float
    is_firing: bool = False
    value: float = 0.0
    ended: float | None = None  # when the signal was last seen to have come back


class Watch:
    """Which of `rules` hold. `also` are more signals to keep samples for, and `most` is how many series are kept."""

    def __init__(self, rules: Sequence[Rule], also: Iterable[Signal] = (), most: int = MOST_SERIES) -> None:
        self.rules: Final = rules
        volumes = (rule.volume.of for rule in rules if rule.volume)
        self.history: Final = History([*(rule.signal for rule in rules), *volumes, *also], most)
        self.seen: Final[set[str]] = set()  # ids of the rules whose signals have had a value
        self._cases: Final[dict[tuple[str, Labels], _Case]] = {}

    def look(self, at: float, samples: Iterable[Sample]) -> list[Finding]:
        """Take what all series are at a moment, and return which rules hold then, the most severe first.

        Samples of several processes are told apart by a label `instance`. A series that is not among them has ended.
        """
        self.history.add(at, samples)
        findings = [finding for rule in self.rules for finding in self._look(rule, at)]
        return sorted(findings, key=lambda finding: SEVERITIES.index(finding.rule.severity))

    def _look(self, rule: Rule, at: float) -> Iterable[Finding]:
        values = evaluate(rule.signal, self.history, at)
        if values:
            self.seen.add(rule.id)
        is_enough = _enough(rule, self.history, at)
        known = {labels for id_, labels in self._cases if id_ == rule.id}
        for labels in sorted(known | set(values)):
            case, value = self._cases.pop((rule.id, labels), None), values.get(labels)
            stays = case is not None and case.is_firing and value is not None and rule.threshold.stays(value)
            is_beyond = stays or (value is not None and rule.threshold.fires(value) and is_enough(labels))
            if case := _moved(case, value if is_beyond else None, rule, at):
                self._cases[(rule.id, labels)] = case
                if case.is_firing:
                    yield Finding(rule, dict(labels), case.value, case.began)


SEVERITIES: Final = ("critical", "warning", "info")


def _enough(rule: Rule, history: History, at: float) -> Callable[[Labels], bool]:
    if rule.volume is None:
        return lambda _: True
    least, volumes = rule.volume.at_least, evaluate(rule.volume.of, history, at)
    return lambda labels: volumes.get(labels, 0.0) >= least


def _moved(case: _Case | None, beyond: float | None, rule: Rule, at: float) -> _Case | None:
    """Return what becomes of a case, None when it is over. `beyond` is the value, if it is beyond the threshold."""
    if beyond is not None:
        case = case or _Case(at)
        case.value, case.ended = beyond, None
        case.is_firing = case.is_firing or at - case.began >= rule.threshold.for_s
        return case
    if case is None or not case.is_firing:
        return None
    case.ended = at if case.ended is None else case.ended
    return case if at - case.ended < rule.threshold.clear_s else None


def findings_of(samples: Iterable[Sample], rules: Sequence[Rule]) -> list[Finding]:
    """Return what one scrape of processes tells: the findings of their own monitors, by `clarion_trouble`.

    `Watch` finds more, such as what only shows across processes, but needs the samples of some minutes.
    """
    by_id = {rule.id: rule for rule in rules}
    found = [
        Finding(by_id[labels["rule"]], {name: value for name, value in labels.items() if name != "rule"}, None, None)
        for name, labels, value in samples
        if name == "clarion_trouble" and value == 1 and labels["rule"] in by_id
    ]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.rule.severity))


def written(value: float, unit: Unit) -> str:
    """Return a value with its unit, for a person."""
    match unit:
        case "share":
            return f"{value:.1%}"
        case "bytes":
            return f"{value / 2**20:,.0f} MiB"
        case "seconds":
            return f"{value:,.0f} s" if abs(value) >= 10 else f"{value:.3g} s"
        case "per second":
            return f"{value:.3g} a second"
        case "number":
            return f"{value:,.0f}"


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"
