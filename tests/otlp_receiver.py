"""A receiver of OTLP over HTTP, as a collector has one, made of the protocol's own messages. It keeps what it gets."""

import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True, slots=True)
class Received:
    """A span, with ids in hexadecimal digits and attributes as Python has them."""

    name: str
    service: str
    trace_id: str
    span_id: str
    parent: str
    kind: int
    took_ns: int
    links: list[tuple[str, str]]
    attributes: dict[str, Any]
    status: int


@dataclass(slots=True)
class Receiver:
    """What was received so far. It answers with `status`, and takes what came if that is 200."""

    url: str = ""
    spans: list[Received] = field(default_factory=list[Received])
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])  # by service and name
    requests: list[str] = field(default_factory=list[str])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    status: int = 200

    def of(self, trace_id: str) -> dict[str, Received]:
        """The spans of a trace, by service and name."""
        return {f"{one.service}: {one.name}": one for one in list(self.spans) if one.trace_id == trace_id}

    def take(self, path: str, body: bytes) -> bytes:
        if path == "/v1/traces":
            asked = ExportTraceServiceRequest.FromString(body)
            for resource in asked.resource_spans:
                service = _values(resource.resource.attributes)["service.name"]
                self.spans += [_span(service, one) for scope in resource.scope_spans for one in scope.spans]
            return ExportTraceServiceResponse().SerializeToString()
        assert path == "/v1/metrics", path
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            service = _values(resource.resource.attributes)["service.name"]
            found = {one.name: one for scope in resource.scope_metrics for one in scope.metrics}
            self.metrics.setdefault(service, {}).update(found)
        return ExportMetricsServiceResponse().SerializeToString()


def _span(service: str, one: Any) -> Received:
    return Received(
        one.name,
        service,
        one.trace_id.hex(),
        one.span_id.hex(),
        one.parent_span_id.hex(),
        one.kind,
        one.end_time_unix_nano - one.start_time_unix_nano,
        [(link.trace_id.hex(), link.span_id.hex()) for link in one.links],
        _values(one.attributes),
        one.status.code,
    )


def _values(attributes: Iterable[Any]) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def receiving() -> Generator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(self.path)
            receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = receiver.take(self.path, body) if receiver.status == 200 else b""
            self.send_response(receiver.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - its name in the base class

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            serving.join()
