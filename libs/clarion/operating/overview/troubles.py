"""Open troubles, each once: what the monitors of the processes find, and what only the whole can judge. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from clarion.contracts.times import rfc3339
from clarion.operating.overview.schema import Trouble
from clarion.operating.overview.scraped import instances
from clarion.operating.processes import ProcessView
from clarion.rules.rule import Rule, Severity
from clarion.rules.signals import PROCESS, Combined, Quantile, Signal, inner
from clarion.rules.watch import SEVERITIES, Finding

TROUBLES_MOST: Final = 100
_INSTANCE: Final = "instance"


class _Told(msgspec.Struct):
    """A finding as a process tells it at `/health/metrics`."""

    rule: str
    severity: Severity
    what: str
    cause: str
    cure: str
    runbook: str
    labels: dict[str, str] = {}
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A finding, whoever has it: in one process, or of the whole, which has no `instance`."""

    told: _Told
    instance: str
    since: datetime | None

    @property
    def key(self) -> tuple[object, ...]:
        """Return what makes two findings the same trouble: the rule, and labels that name no process."""
        return (
            self.told.rule,
            *sorted((name, value) for name, value in self.told.labels.items() if name not in PROCESS),
        )


def judged_by_the_whole(rule: Rule) -> bool:
    """Return whether a rule is about all processes together, or about what no process sees of itself."""
    return rule.only_outside or _is_combined(rule.signal)


def _is_combined(signal: Signal) -> bool:
    if isinstance(signal, Combined | Quantile) and _INSTANCE in signal.away:
        return True
    return any(map(_is_combined, inner(signal)))


def open_troubles(
    views: Sequence[ProcessView], whole: Sequence[Finding], titles: Mapping[str, str], now_s: float, at: datetime
) -> list[Trouble]:
    """Return the troubles, the most severe first, then those that began first.

    `whole` are findings of a watch over all processes, whose clock says `now_s` at the time `at`. What it says of a
    trouble goes before what processes say of the same, since a process judges only its own part.
    """
    merged: dict[tuple[object, ...], list[_Seen]] = {}
    for seen in (*_of_the_whole(whole, now_s, at), *_of_processes(views, at)):
        merged.setdefault(seen.key, []).append(seen)
    found = sorted(merged.values(), key=_rank)
    return [_trouble(some, titles) for some in found[:TROUBLES_MOST]]


def _of_the_whole(findings: Sequence[Finding], now_s: float, at: datetime) -> Iterator[_Seen]:
    for finding in findings:
        rule, labels = finding.rule, dict(finding.labels)
        told = _Told(rule.id, rule.severity, finding.sentence(), rule.cause, rule.cure, rule.runbook, labels)
        since = None if finding.since is None else at - timedelta(seconds=now_s - finding.since)
        yield _Seen(told, labels.get(_INSTANCE, ""), since)


def _of_processes(views: Sequence[ProcessView], at: datetime) -> Iterator[_Seen]:
    for view, instance in zip(views, instances(views), strict=True):
        try:
            findings = msgspec.convert(view.figures.get("findings", []), list[_Told])
        except msgspec.ValidationError:
            continue  # of another version, which this one cannot read; its reasons are told by its health
        for told in findings:
            yield _Seen(told, instance, None if told.for_s is None else at - timedelta(seconds=told.for_s))


def _rank(some: Sequence[_Seen]) -> tuple[int, float, str]:
    since = min((seen.since.timestamp() for seen in some if seen.since), default=0.0)
    return SEVERITIES.index(some[0].told.severity), since, some[0].told.rule


def _trouble(some: Sequence[_Seen], titles: Mapping[str, str]) -> Trouble:
    told = some[0].told
    began = min((seen.since for seen in some if seen.since), default=None)
    return Trouble(
        rule=told.rule,
        title=titles.get(told.rule, told.rule),
        severity=told.severity,
        what=told.what,
        cause=told.cause,
        cure=told.cure,
        runbook=told.runbook,
        seen_by=sorted({seen.instance for seen in some if seen.instance}),
        since=rfc3339(began) if began else None,
    )
