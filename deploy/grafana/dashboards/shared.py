"""What several dashboards show."""

import re

from deploy.grafana.charts import SELECTED, Chart, Query, Row, rate, series


def in_dashboard(expr: str) -> str:
    """Return an expression of a rule for the chosen jobs and instances, over Grafana's interval."""
    selected = re.sub(r"\{([^{}]*)\}", rf"{{\1, {SELECTED}}}", expr)
    return re.sub(r"\[\d+[smhd]\]", "[$__rate_interval]", selected)


def _of_clarion(expr: str) -> str:
    """Leave out other programs, whose metrics have the same names."""
    return f"{expr} and {series('clarion_logs_dropped_total')}"


PROCESS_ROW = Row(
    "Processes",
    [
        Chart(
            "CPU",
            "Cores that each process uses. One process uses one at most: near 1, start more of its kind.",
            "cores",
            [Query(_of_clarion(rate("process_cpu_seconds_total")))],
            width=6,
            limit=0.9,
        ),
        Chart(
            "Memory",
            "Memory of each process. If it grows while connections and load do not, restart the process and report it.",
            "bytes",
            [Query(_of_clarion(series("process_resident_memory_bytes")))],
            width=6,
        ),
        Chart(
            "Event loop delay, p99",
            "How late timers of the event loop are. Above 100 ms everything in that process waits.",
            "s",
            [Query(f"histogram_quantile(0.99, {rate('clarion_loop_delay_seconds_bucket')})")],
            width=6,
            limit=0.1,
        ),
        Chart(
            "File descriptors",
            "The share of a process's file descriptors that is open. Near 1, connections are refused.",
            "percentunit",
            [Query(_of_clarion(f"{series('process_open_fds')} / {series('process_max_fds')}"))],
            width=6,
            limit=0.85,
        ),
    ],
)
