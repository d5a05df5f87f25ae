"""Make the page of all metrics, `docs/metrics.md`, of their declarations: `make generated` writes it."""

import sys
from collections.abc import Iterator, Sequence
from typing import Final

from clarion.telemetry.metrics import CATALOGUE
from clarion.telemetry.metrics.declare import Declared, Subject
from clarion.telemetry.metrics.labels import Label

_INTRODUCTION: Final = """\
# Metrics

<!-- Made by `make generated` of libs/clarion/telemetry/metrics: change the declarations there, and not this page. -->

Every process exports these at `/metrics` of its admin port, for Prometheus, as far as it has something to say about
them. A counter only rises, and begins anew with its process: ask Prometheus for its `rate` or `increase`. A histogram
`NAME` is exported as `NAME_bucket`, `NAME_sum` and `NAME_count`. Where a gauge is missing, its value is not known, and
need not be 0.

No label is a user, an id, a connection or a path, so the number of series is bounded.
[Adding a metric](contributing.md#a-metric) says how to declare another one."""


def page() -> str:
    """Return the text of the page."""
    return "\n".join([_INTRODUCTION, *(line for subject in CATALOGUE for line in _section(subject)), ""])


def _section(subject: Subject) -> Iterator[str]:
    yield from ("", f"## {subject.name}", "", subject.about, "")
    yield "| metric | type, unit | labels | what it says | what to do |"
    yield "|---|---|---|---|---|"
    yield from map(_row, subject.declared)


def _row(declared: Declared) -> str:
    cells = (
        f"`{declared.exported}`",
        f"{declared.kind}, {declared.unit}",
        "; ".join(map(_label, declared.labels)) or "–",
        declared.meaning,
        declared.remedy,
    )
    return f"| {' | '.join(cells)} |"


def _label(label: Label) -> str:
    return f"`{label.name}`: {_listed(label.values) if label.values else label.bound}"


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values)


if __name__ == "__main__":
    sys.stdout.write(page())
