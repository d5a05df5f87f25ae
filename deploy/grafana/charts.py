"""What a dashboard shows, as plain data: its rows, their charts, and the queries of these. Pure.

Conventions of the dashboards of Kubernetes and Kafka hold: the data source, jobs and instances are variables, no other
label of targets is assumed, and what is summed over processes keeps all labels that it is not summed over, so that
namespaces and releases stay apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from clarion.rules.signals import PROCESS

# Units as Grafana calls them.
Unit = Literal["short", "none", "s", "bytes", "percentunit", "ops", "cores", "bool_yes_no"]
Kind = Literal["lines", "stacked", "number"]

SELECTED: Final = 'job=~"$job", instance=~"$instance"'
AUTO: Final = "__auto"  # Grafana writes the labels in which the series of a chart differ


@dataclass(frozen=True, slots=True)
class Query:
    """A query in PromQL, and what its series are called."""

    expr: str
    legend: str = AUTO


@dataclass(frozen=True, slots=True)
class Chart:
    """One panel. `says` tells a reader what it shows and what to do when it looks wrong."""

    title: str
    says: str
    unit: Unit
    queries: Sequence[Query]
    kind: Kind = "lines"
    width: int = 8  # of 24
    limit: float | None = None  # drawn as a line: beyond it is trouble


@dataclass(frozen=True, slots=True)
class Row:
    """Charts under one heading."""

    title: str
    charts: Sequence[Chart]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    says: str
    rows: Sequence[Row] = field(default_factory=list[Row])


def series(name: str, **where: str) -> str:
    """Return the selector of a series of the chosen jobs and instances. A value with `~` is a regular expression."""
    matchers = [f'{label}=~"{v[1:]}"' if v.startswith("~") else f'{label}="{v}"' for label, v in where.items()]
    return f"{name}{{{', '.join([*matchers, SELECTED])}}}"


def rate(name: str, **where: str) -> str:
    """Return how much a counter rises a second."""
    return f"rate({series(name, **where)}[$__rate_interval])"


def total(expr: str, *away: str) -> str:
    """Return the sum over all processes, and over the labels `away`."""
    return f"sum without ({', '.join((*PROCESS, *away))}) ({expr})"


def highest(expr: str, *away: str) -> str:
    """Return the maximum over all processes, and over the labels `away`."""
    return f"max without ({', '.join((*PROCESS, *away))}) ({expr})"


def lowest(expr: str, *away: str) -> str:
    """Return the minimum over all processes, and over the labels `away`."""
    return f"min without ({', '.join((*PROCESS, *away))}) ({expr})"


def quantile(q: float, histogram: str, *away: str, **where: str) -> str:
    """Return a quantile of a histogram over all processes."""
    return f"histogram_quantile({q:g}, {total(rate(f'{histogram}_bucket', **where), *away)})"


def mean(histogram: str, *away: str, **where: str) -> str:
    """Return the mean of what a histogram observed, over all processes."""
    return f"{total(rate(f'{histogram}_sum', **where), *away)} / {total(rate(f'{histogram}_count', **where), *away)}"


def counted(title: str, says: str, name: str, *away: str, kind: Kind = "lines", width: int = 8, **where: str) -> Chart:
    """Return a chart of how much a counter rises a second, over all processes."""
    return Chart(title, says, "ops", [Query(total(rate(name, **where), *away))], kind, width)
