"""What is exported of the process itself: all that the library exports, with its names, texts and kinds."""

import os
from pathlib import Path

import pytest
from prometheus_client import PROCESS_COLLECTOR, REGISTRY
from prometheus_client.core import Metric

from clarion.telemetry import metrics
from clarion.telemetry.metrics.own_process import OwnProcess


def told(metric: Metric) -> tuple[str, str, str]:
    return metric.name, metric.documentation, metric.type


def test_it_exports_what_the_library_does() -> None:
    ours, theirs = [*OwnProcess().collect()], [*PROCESS_COLLECTOR.collect()]
    assert sorted(map(told, ours)) == sorted(map(told, theirs))
    values = {metric.name: metric.samples[0].value for metric in theirs}
    for metric in ours:
        (sample,) = metric.samples
        assert sample.value == pytest.approx(values[metric.name], rel=0.2, abs=2)


def test_the_registry_has_each_once_and_lists_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self/fd").stat().st_size:
        pytest.skip("Linux counts open files since 6.2 only")
    assert metrics.PROCESS.declared
    expected = sorted(metric.name for metric in PROCESS_COLLECTOR.collect())
    monkeypatch.setattr(os, "listdir", None)
    monkeypatch.setattr(Path, "iterdir", None)
    assert sorted(metric.name for metric in REGISTRY.collect() if metric.name.startswith("process_")) == expected
