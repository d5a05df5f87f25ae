"""What the metric catalogue says of each series that rules and dashboards may name."""

from typing import Final, NamedTuple

from clarion.telemetry.metrics import CATALOGUE


class Known(NamedTuple):
    """A series of a metric: its kind, and its labels beside those of its target."""

    kind: str
    labels: frozenset[str]


# What is in no process's registry: Prometheus makes it itself.
_OF_PROMETHEUS: Final = {"up": Known("gauge", frozenset())}


def known() -> dict[str, Known]:
    """Every series, by its name as a query has it: of a histogram its three."""
    found = dict(_OF_PROMETHEUS)
    for subject in CATALOGUE:
        for declared in subject.declared:
            labels = frozenset(label.name for label in declared.labels)
            if declared.kind == "histogram":
                found[f"{declared.name}_bucket"] = Known("counter", labels | {"le"})
                found[f"{declared.name}_sum"] = found[f"{declared.name}_count"] = Known("counter", labels)
            else:
                found[declared.exported] = Known(declared.kind, labels)
    return found
