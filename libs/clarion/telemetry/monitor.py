"""The performance monitor of a process: looks at its own metrics every few seconds and says what is wrong, and why."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog
from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

from clarion.rules.evaluate import evaluate
from clarion.rules.figures import FIGURES
from clarion.rules.history import Sample
from clarion.rules.signals import Signal
from clarion.rules.troubles import TROUBLES
from clarion.rules.watch import Finding, Watch
from clarion.telemetry import metrics

log = structlog.get_logger()

LOOK_EVERY_S: Final = 5.0
MOST_SERIES: Final = 1_000  # kept, with some minutes of samples each; a process has a third of that

Figures = Mapping[str, float | Mapping[str, float]]


class Monitor:
    """Judges this process by the rules of `clarion.rules`. `read` returns all samples of its registry."""

    def __init__(self, read: Callable[[], Iterable[Sample]] | None = None) -> None:
        rules = [rule for rule in TROUBLES if not rule.only_outside]
        self._watch: Final = Watch(rules, also=FIGURES.values(), most=MOST_SERIES)
        self._read: Final = read or (lambda: registered(self._watch.history.names))
        self._findings: list[Finding] = []
        self._figures: Figures = {}
        self._looked_at = 0.0

    async def run(self) -> None:
        """Look every `LOOK_EVERY_S` until cancelled.

        A thread does it, since reading all metrics takes milliseconds. A look that fails is logged, and ends neither
        the monitor nor its process.
        """
        while True:
            try:
                await asyncio.to_thread(self.look, time.monotonic())
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a metric, the process works on
                log.warning("the monitor could not look at this process's metrics", error=repr(error))
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self, now: float) -> None:
        """Take the metrics as they are at `now`, a time of a monotonic clock, and note and log what they show."""
        before = {(finding.rule.id, *finding.labels.items()): finding for finding in self._findings}
        found = self._watch.look(now, self._read())
        self._figures = {name: figure for name, signal in FIGURES.items() if (figure := self._figure(signal, now))}
        self._findings, self._looked_at = found, now
        for rule in self._watch.seen:
            metrics.trouble.labels(rule).set(any(finding.rule.id == rule for finding in found))
        for finding in found:
            if before.pop((finding.rule.id, *finding.labels.items()), None) is None:
                log.warning(
                    "the monitor has found a trouble",
                    rule=finding.rule.id,
                    trouble=finding.sentence(),
                    cause=finding.rule.cause,
                    cure=finding.rule.cure,
                )
        for ended in before.values():
            log.info("a trouble that the monitor found is over", rule=ended.rule.id, trouble=ended.sentence())

    def reasons(self) -> list[str]:
        """Return, in words, what makes this process `degraded`: what is wrong, its cause and its cure."""
        return [finding.reason() for finding in self._findings if finding.rule.degrades]

    def figures(self) -> dict[str, object]:
        """Return the figures and all findings, for `/health/metrics`."""
        return {"performance": self._figures, "findings": [self._told(finding) for finding in self._findings]}

    def _told(self, finding: Finding) -> dict[str, object]:
        rule = finding.rule
        held_s = None if finding.since is None else round(self._looked_at - finding.since, 1)
        return {
            "rule": rule.id,
            "severity": rule.severity,
            "labels": finding.labels,
            "value": finding.value,
            "for_s": held_s,
            "what": finding.sentence(),
            "cause": rule.cause,
            "cure": rule.cure,
            "runbook": rule.runbook,
        }

    def _figure(self, signal: Signal, now: float) -> float | dict[str, float]:
        """Return the one value of the signal, or each by the values of its labels; empty without any."""
        values = {
            " ".join(value for _, value in labels): float(f"{value:.6g}")
            for labels, value in evaluate(signal, self._watch.history, now).items()
            if math.isfinite(value)
        }
        return values[""] if set(values) == {""} else values


def registered(names: Iterable[str], registry: Collector = REGISTRY) -> list[Sample]:
    """Return the samples of these names that the registry has now."""
    wanted = frozenset(names)
    return [
        Sample(sample.name, sample.labels, sample.value)
        for family in registry.collect()
        for sample in family.samples
        if sample.name in wanted
    ]
