"""What is released keeps its headers; what is sampled has a span since it was due."""

from datetime import timedelta

from clarion.contracts import times, trace
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.trace import Trace
from clarion.store.scheduled import Due
from clarion.telemetry.otel.spans import Span, recorded_by
from services.stream.scheduler.release_spans import traced

LATE = timedelta(seconds=2)
OTHER = ("other", b"x")


def due(own: Trace) -> Due:
    return Due(new_id(), "ann", Lane.LOW, times.now() - LATE, b"{}", [OTHER, trace.header(own)])


def test_a_sampled_release_is_a_span_above_its_lane() -> None:
    own, recorded = trace.begun_by(new_id(), sampled=True), list[Span]()
    items = [due(own), due(own._replace(sampled=False))]
    with recorded_by(recorded.append):
        sampled, other = traced(items)
    (span,) = recorded
    assert span.parent == own
    assert LATE.total_seconds() <= (span.ended_ns - span.began_ns) / 1e9 < LATE.total_seconds() + 1
    assert sampled.headers == [OTHER, trace.header(span.own)]
    assert other is items[1]


def test_without_spans_nothing_is_changed() -> None:
    items = [due(trace.begun_by(new_id(), sampled=True))]
    assert traced(items) is items
