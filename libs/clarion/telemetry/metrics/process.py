"""Metrics that every process exports: of itself, and of the servers that it needs."""

from typing import Final

from clarion.telemetry.metrics import buckets, labels
from clarion.telemetry.metrics.declare import Subject

PROCESS: Final = Subject("Every process", "The process itself, and the servers that it needs.")

loop_delay_seconds = PROCESS.histogram(
    "clarion_loop_delay_seconds",
    "Time by which the event loop was late for a timer that is due each second",
    unit="seconds",
    remedy="Above 0.1 s everything in the process waits: it has too much to do, so start more processes of its kind.",
    buckets=buckets.DELAY_S,
)

trouble = PROCESS.gauge(
    "clarion_trouble",
    "Whether a rule of the performance monitor holds in this process (1) or not (0)",
    labels.RULE,
    unit="yes or no",
    remedy="The [runbook](runbook.md) has each rule's cause and cure; `/health` of the process says what was found.",
)
dependency_up = PROCESS.gauge(
    "clarion_dependency_up",
    "Whether a dependency answers its probe (1) or not (0)",
    labels.DEPENDENCY,
    unit="yes or no",
    remedy="Read the reason at `/health` of the process, and bring the server back: work goes on by itself.",
)
retries = PROCESS.counter(
    "clarion_retries",
    "Calls that were tried again after a failure",
    labels.DEPENDENCY,
    unit="calls",
    remedy="A few are a restart or a failover. If they keep coming, look for the server's errors in the log.",
)
breaker_state = PROCESS.gauge(
    "clarion_breaker_state",
    "State of the circuit breaker: 0 closed, 1 half-open, 2 open",
    labels.DEPENDENCY,
    unit="breaker state",
    remedy="An open one means that half of the calls fail: mend the server, and it closes by itself within seconds.",
)
producer_renewed = PROCESS.counter(
    "clarion_producer_renewed",
    "New epochs that a producer began after Kafka refused a batch, by the error",
    labels.KAFKA_ERROR,
    unit="epochs",
    remedy="The log names topic and error: set the topic's limits or access rights right.",
)
logs_dropped = PROCESS.counter(
    "clarion_logs_dropped",
    "Log records that were dropped because the queue was full",
    unit="lines",
    remedy="Whoever reads the log is too slow: look for a full disk or a blocked pipe, or raise CLARION_LOG_LEVEL.",
)


def count_renewal(error: str) -> None:
    """Count that a producer began a new epoch after `error`."""
    producer_renewed.labels(error).inc()


# What the library exports of each process on Linux, of which nothing is to be done here but to name it.

PROCESS.foreign(
    "process_cpu_seconds",
    "counter",
    "CPU time that the process has used, by itself and in the system",
    unit="seconds",
    remedy="One process uses one core at most: near 1 a second, start more processes of that kind.",
)
PROCESS.foreign(
    "process_resident_memory_bytes",
    "gauge",
    "Memory that the process has in RAM",
    unit="bytes",
    remedy="If it grows without load, restart the process and report it: everything that waits has a bound.",
)
PROCESS.foreign(
    "process_open_fds",
    "gauge",
    "File descriptors that are open",
    unit="files",
    remedy="Raise `ulimit -n` before it comes near `process_max_fds`, or lower CLARION_CONNECTIONS.",
)
PROCESS.foreign(
    "process_max_fds",
    "gauge",
    "File descriptors that may be open",
    unit="files",
    remedy="Set `ulimit -n` to CLARION_CONNECTIONS and 2,000 more.",
)
PROCESS.foreign(
    "process_start_time_seconds",
    "gauge",
    "Unix time at which the process began",
    unit="seconds",
    remedy="If it changes again and again, the process restarts: its log says why it ended.",
)
