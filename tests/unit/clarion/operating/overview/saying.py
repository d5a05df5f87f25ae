"""What processes say of themselves, as the overview is made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from clarion.operating.processes import ProcessView
from clarion.operating.samples import Sample, Samples


def process(
    name: str,
    service: str,
    samples: Samples | None = None,
    *,
    status: str = "ok",
    port: int = 9400,
    figures: Mapping[str, Any] | None = None,
    reasons: Sequence[str] = (),
) -> ProcessView:
    said = samples if samples is not None else {"clarion_logs_dropped_total": [Sample({}, 0.0)]}
    return ProcessView(name, f"http://10.0.0.1:{port}", service, status, reasons, (), figures or {}, said)


def silent(name: str) -> ProcessView:
    return ProcessView(name, "http://10.0.0.1:9400", errors=["/health: refused"])


def lane_samples(lane: str, stored: float, **more: float) -> Samples:
    samples = {"clarion_stored_total": [Sample({"lane": lane}, stored)]}
    return samples | {name: [Sample({"lane": lane}, value)] for name, value in more.items()}


def finding(rule: str, severity: str = "warning", for_s: float = 60.0, **labels: str) -> dict[str, Any]:
    """A finding as a process tells it."""
    return {
        "rule": rule, "severity": severity, "labels": labels, "value": 1.0, "for_s": for_s,
        "what": f"{rule} holds", "cause": "Why.", "cure": "What to do.", "runbook": f"docs/runbook.md#{rule}",
    }  # fmt: skip
