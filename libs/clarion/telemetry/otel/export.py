"""Export spans and metrics to a collector, by OTLP over HTTP. Importing this needs the extra `otel`."""

import logging
import os
import socket
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import REGISTRY

import clarion
from clarion.settings import Settings
from clarion.telemetry.otel import spans
from clarion.telemetry.otel.registry_bridge import metrics_of
from clarion.telemetry.otel.sdk_spans import SpanExport

END_WITHIN_S: Final = 3.0  # a collector that does not answer must not hold a process

log = logging.getLogger(__name__)


@contextmanager
def exporting(settings: Settings, service: str) -> Generator[None]:
    """Export the spans and metrics of this process to `settings.otlp_endpoint` while the block runs.

    Everything waits in bounded queues and is sent by threads, so a collector that is slow or away costs only what it
    does not get.
    """
    base, resource = settings.otlp_endpoint.rstrip("/"), _resource(service, settings.admin_port)
    of_spans = OTLPSpanExporter(endpoint=f"{base}/v1/traces")
    span_export, ending = SpanExport(of_spans, resource), threading.Event()
    exporters: dict[threading.Thread, OTLPSpanExporter | OTLPMetricExporter] = {}
    if settings.otlp_metrics_s:
        of_metrics = OTLPMetricExporter(endpoint=f"{base}/v1/metrics")
        arguments = of_metrics, resource, settings.otlp_metrics_s, ending
        metrics = threading.Thread(target=_export_metrics, args=arguments, name="metrics", daemon=True)
        exporters[metrics] = of_metrics
        metrics.start()
    try:
        with spans.recorded_by(span_export.record):
            yield
    finally:
        ending.set()
        last_spans = threading.Thread(target=span_export.end, name="last spans", daemon=True)
        exporters[last_spans] = of_spans
        last_spans.start()
        _end(exporters)


def _end(exporters: Mapping[threading.Thread, OTLPSpanExporter | OTLPMetricExporter]) -> None:
    """Wait for threads that export what is left, and have those that are late try no more."""
    ends = time.monotonic() + END_WITHIN_S
    for thread, exporter in exporters.items():
        thread.join(max(0.0, ends - time.monotonic()))
        if thread.is_alive():
            exporter.shutdown()


def _resource(service: str, admin_port: int) -> Resource:
    """Return what the spans and metrics are of. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES may say otherwise."""
    ours = {
        "service.namespace": "clarion",
        "service.name": service,
        "service.version": clarion.__version__,
        "service.instance.id": f"{socket.gethostname()}:{admin_port}",
        "process.pid": os.getpid(),
    }
    said = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in ours.items() if name not in said})


def _export_metrics(exporter: OTLPMetricExporter, resource: Resource, every_s: float, ending: threading.Event) -> None:
    """Export all metrics every so many seconds, and once more at the end."""
    started_ns, scope = time.time_ns(), InstrumentationScope("clarion", clarion.__version__)
    is_last = False
    while not is_last:
        is_last = ending.wait(every_s)
        try:
            found = metrics_of(REGISTRY.collect(), time.time_ns(), started_ns)
            of_scope = ScopeMetrics(scope, found, "")
            exporter.export(MetricsData([ResourceMetrics(resource, [of_scope], "")]))
        except Exception:
            log.exception("metrics could not be exported, and are again later: please report it")
