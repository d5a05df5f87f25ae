"""Spans: what was done for a trace, and how long that took. This imports nothing of OpenTelemetry.

Whoever did something for a sampled notification asks for the `recorder`, which is None unless spans are exported.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from clarion.contracts import trace
from clarion.contracts.trace import Trace

LINKS: Final = 32  # that one span has at most

Kind = Literal["internal", "producer", "consumer"]
Attributes = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended. `own` is its place in its trace, `parent` the span that caused it."""

    name: str
    own: Trace
    parent: Trace | None
    began_ns: int
    ended_ns: int
    kind: Kind = "internal"
    links: Sequence[Trace] = ()
    attributes: Attributes = field(default_factory=dict[str, str | int | float | bool])
    error: str = ""  # why the work failed, in words; empty if it did not


Recorder = Callable[[Span], None]

_recorders: Final[list[Recorder]] = []  # none or one, for the whole process


def recorder() -> Recorder | None:
    """Return what takes spans, without waiting; None while nobody exports them."""
    return _recorders[0] if _recorders else None


@contextmanager
def recorded_by(taking: Recorder) -> Generator[None]:
    """Have `taking` take the spans of this process while the block runs."""
    _recorders.insert(0, taking)
    try:
        yield
    finally:
        _recorders.remove(taking)


def child_of(parent: Trace) -> Trace:
    """Return the place of a new span below `parent`."""
    return parent._replace(span_id=trace.new_span_id())


def of_many(links: Sequence[Trace]) -> tuple[Trace, Trace | None]:
    """Return the place and the parent of a new span that was caused by all of `links`, of which there is at least one.

    If they are of one trace, it belongs there; else it begins a trace of its own, and its links tell what it belongs
    to, as OpenTelemetry's conventions for messages have it.
    """
    first = links[0]
    if all(link.trace_id == first.trace_id for link in links):
        return child_of(first), first
    return Trace(trace.new_trace_id(), trace.new_span_id(), True), None
