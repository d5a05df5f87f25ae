"""Spans of releases: each begins when its notification was due, and its lane's window comes below it."""

import time
from collections.abc import Sequence
from dataclasses import replace

from clarion.contracts import trace
from clarion.store.scheduled import Due
from clarion.telemetry.otel import spans
from clarion.telemetry.otel.spans import Recorder, Span


def traced(found: Sequence[Due]) -> Sequence[Due]:
    """Return what is released now, and record a span of each that is sampled, which its headers then name."""
    record = spans.recorder()
    return found if record is None else [_traced(item, record) for item in found]


def _traced(item: Due, record: Recorder) -> Due:
    parent = trace.sampled(item.headers)
    if parent is None:
        return item
    own, now_ns = spans.child_of(parent), time.time_ns()
    due_ns = min(now_ns, int(item.due.timestamp() * 1e9))
    attributes = {"messaging.system": "kafka", "messaging.message.id": item.id, "clarion.lane": str(item.lane)}
    record(Span("release", own, parent, due_ns, now_ns, "producer", attributes=attributes))
    headers = [trace.header(own) if name == trace.TRACEPARENT else (name, content) for name, content in item.headers]
    return replace(item, headers=headers)
