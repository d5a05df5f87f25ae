"""Exports memory, CPU time and open files of this process, as prometheus_client does, and cheaper.

The library's collector lists every open file each time it is read: by Prometheus, and by the performance monitor.
"""

import os
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import PROCESS_COLLECTOR, REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clarion.telemetry.open_files import open_files

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MEMORY: Final = Path("/proc/self/statm")
_KEPT: Final = ("process_start_time_seconds",)  # never changes


class OwnProcess(Collector):
    """The series of prometheus_client's `ProcessCollector`, of this process. Outside Linux there are none, as there."""

    def __init__(self) -> None:
        self._kept: Final = [family for family in PROCESS_COLLECTOR.collect() if family.name in _KEPT]

    def collect(self) -> Iterable[Metric]:
        """Yield the series, for Prometheus."""
        try:
            virtual, resident = (int(pages) * _PAGE for pages in _MEMORY.read_text().split()[:2])
        except OSError:
            return
        yield GaugeMetricFamily("process_virtual_memory_bytes", "Virtual memory size in bytes.", value=virtual)
        yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory size in bytes.", value=resident)
        yield from self._kept
        used = os.times()
        spent = "Total user and system CPU time spent in seconds."
        yield CounterMetricFamily("process_cpu_seconds_total", spent, value=used.user + used.system)
        yield GaugeMetricFamily("process_open_fds", "Number of open file descriptors.", value=open_files())
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        yield GaugeMetricFamily("process_max_fds", "Maximum number of open file descriptors.", value=most)


def export() -> None:
    """Have the registry read this collector instead of the library's."""
    REGISTRY.unregister(PROCESS_COLLECTOR)
    REGISTRY.register(OwnProcess())
