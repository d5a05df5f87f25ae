"""Spans and metrics reach a receiver of OTLP; one that is stuck or away delays nobody."""

import os
import subprocess
import sys
import threading
import time

import pytest

from clarion.contracts import trace
from clarion.contracts.ids import new_id
from clarion.settings import Settings, SettingsError
from clarion.telemetry import metrics
from clarion.telemetry.otel import export, sdk_spans, spans
from clarion.telemetry.otel.spans import Span
from tests.otlp_receiver import Receiver, receiving

STUCK_S = 20.0  # far longer than anything here takes on a busy machine
PARENT = trace.begun_by(new_id(), sampled=True)
LINK = trace.begun_by(new_id(), sampled=True)


def settings(url: str, metrics_s: float = 0) -> Settings:
    return Settings(env="dev", otlp_endpoint=url, otlp_metrics_s=metrics_s)


def span(**changed: object) -> Span:
    fields = {
        "name": "work",
        "own": spans.child_of(PARENT),
        "parent": PARENT,
        "began_ns": 10**18,
        "ended_ns": 10**18 + 5,
    }
    return Span(**(fields | changed))  # pyright: ignore[reportArgumentType]


def record(one: Span) -> None:
    taking = spans.recorder()
    assert taking is not None
    taking(one)


def test_a_span_arrives_as_it_was_recorded_with_its_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hidden")
    root = span(name="root", own=PARENT, parent=None)
    child = span(kind="consumer", links=[LINK], attributes={"a": "x", "n": 3}, error="it failed")
    with receiving() as receiver:
        with export.exporting(settings(receiver.url + "/"), "stream-low"):
            record(root)
            record(child)
        found = {one.name: one for one in receiver.spans}
    assert (found["root"].trace_id, found["root"].span_id, found["root"].parent) == (
        PARENT.trace_id,
        PARENT.span_id,
        "",
    )
    work = found["work"]
    assert (work.service, work.trace_id, work.span_id, work.parent) == (
        "stream-low",
        PARENT.trace_id,
        child.own.span_id,
        PARENT.span_id,
    )
    assert (work.took_ns, work.kind, work.status) == (5, 5, 2)
    assert work.links == [(LINK.trace_id, LINK.span_id)]
    assert work.attributes == {"a": "x", "n": 3}
    assert receiver.headers[0]["api-key"] == "hidden"
    assert spans.recorder() is None


def test_metrics_arrive_again_and_again_and_at_the_end() -> None:
    metrics.INGEST.export()
    with receiving() as receiver:
        with export.exporting(settings(receiver.url, 0.05), "ingest"):
            before = metrics.accepted.labels("low")
            before.inc()
            deadline = time.monotonic() + 10
            while receiver.requests.count("/v1/metrics") < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            metrics.accepted.labels("low").inc()
        found = receiver.metrics["ingest"]["clarion_accepted_total"]
    (point,) = [one for one in found.sum.data_points if one.attributes[0].value.string_value == "low"]
    assert point.as_double == metrics.accepted.labels("low")._value.get()  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize("is_stuck", [True, False])
def test_a_collector_that_does_not_answer_delays_nobody(*, is_stuck: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "END_WITHIN_S", 0.5)
    monkeypatch.setattr(sdk_spans, "QUEUE", 100)
    monkeypatch.setattr(sdk_spans, "BATCH", 50)
    let_go = threading.Event()

    def wait(*_: object) -> bytes:
        let_go.wait(STUCK_S)
        return b""

    monkeypatch.setattr(Receiver, "take", wait)
    with receiving() as receiver:
        began = time.monotonic()
        with export.exporting(settings(receiver.url if is_stuck else "http://127.0.0.1:9", 0.05), "ingest"):
            for _ in range(2 * sdk_spans.QUEUE):
                record(span())
            recorded_s = time.monotonic() - began
        took_s = time.monotonic() - began
        let_go.set()
        for thread in threading.enumerate():
            if thread.name in ("metrics", "last spans"):
                thread.join(STUCK_S)
                assert not thread.is_alive()  # it would go on trying, and complaining
    assert recorded_s < STUCK_S / 2
    assert took_s - recorded_s < STUCK_S / 2


def test_without_the_extra_the_setting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from clarion import process

    monkeypatch.delitem(sys.modules, "clarion.telemetry.otel.export")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    with pytest.raises(SettingsError, match=r"CLARION_OTLP_ENDPOINT.*clarion\[otel\]"):
        process._exporting("ingest", settings("http://127.0.0.1:9"))


def test_without_an_endpoint_opentelemetry_is_not_imported() -> None:
    program = """
import sys, clarion.process, services.ingest.main, services.stream.main, services.gateway.main
from clarion.settings import Settings
with clarion.process._exporting("ingest", Settings(env="dev")):
    print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
