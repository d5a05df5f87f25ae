"""Hands spans to OpenTelemetry's SDK, which exports them in batches from a thread of its own."""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from clarion.contracts.trace import Trace
from clarion.telemetry.otel.spans import Span

# Spans that wait to be exported; while no collector takes any, those that do not fit are dropped. They are some
# 2 KB each.
QUEUE: Final = 2_048
BATCH: Final = 512
EXPORT_EVERY_S: Final = 2.0

_KINDS: Final = {"internal": SpanKind.INTERNAL, "producer": SpanKind.PRODUCER, "consumer": SpanKind.CONSUMER}


class SpanExport:
    """Exports the spans that `record` takes. Call it in one thread only: that of the event loop."""

    def __init__(self, exporter: SpanExporter, resource: Resource) -> None:
        self._ids: Final = _Ids()
        # what comes here is sampled: its parent's flag decided, or the ratio of ingest
        self._provider: Final = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=QUEUE,
                max_export_batch_size=BATCH,
                schedule_delay_millis=EXPORT_EVERY_S * 1000,
            )
        )
        self._tracer: Final = self._provider.get_tracer("clarion")

    def record(self, span: Span) -> None:
        """Take a span that has ended. This waits for nothing."""
        self._ids.own = span.own
        context = Context()
        if span.parent is not None:
            context = set_span_in_context(NonRecordingSpan(_context_of(span.parent)), context)
        started = self._tracer.start_span(
            span.name,
            context=context,
            kind=_KINDS[span.kind],
            attributes=span.attributes,
            links=[Link(_context_of(link)) for link in span.links],
            start_time=span.began_ns,
        )
        if span.error:
            started.set_status(Status(StatusCode.ERROR, span.error))
        started.end(end_time=span.ended_ns)

    def end(self) -> None:
        """Export what waits, and end. It takes as long as the collector: call it where nobody waits."""
        self._provider.shutdown()


class _Ids(IdGenerator):
    """Gives a span the ids that it has already in the headers of records."""

    own: Trace

    def generate_span_id(self) -> int:
        return int(self.own.span_id, 16)

    def generate_trace_id(self) -> int:
        return int(self.own.trace_id, 16)


def _context_of(place: Trace) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if place.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(place.trace_id, 16), int(place.span_id, 16), is_remote=True, trace_flags=flags)
