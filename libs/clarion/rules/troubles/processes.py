"""Troubles of a process: it is gone, or short of processor, memory, file descriptors or time. Pure data."""

from typing import Final

from clarion.rules.rule import Rule, Volume, above, below
from clarion.rules.signals import (
    HOUR_S,
    MINUTE_S,
    OURS,
    Added,
    Changes,
    Extreme,
    Provided,
    Quantile,
    Rate,
    Ratio,
    Series,
    Signal,
    Value,
)

_MEMORY: Final = Series("process_resident_memory_bytes")
_MIB: Final = 1024 * 1024


def _of_clarion(signal: Signal) -> Provided:
    """Leave out other programs, whose metrics have the same names."""
    return Provided(signal, Value(OURS))


PROCESSES: Final = (
    Rule(
        id="process-gone",
        title="Process gone",
        severity="warning",
        what="The process {instance} does not answer at its admin port",
        cause="It has ended or hangs, its machine is gone, or the network between is cut.",
        cure=(
            "Look at the end of its log and at what the orchestrator says of it; start it again. Others of its kind go "
            "on meanwhile, and nothing is lost."
        ),
        signal=Provided(Value(Series("up")), Extreme("max", OURS, 6 * HOUR_S)),
        threshold=below(1, for_s=MINUTE_S, clear_s=0),
        only_outside=True,
    ),
    Rule(
        id="restarts",
        title="Restarts",
        severity="warning",
        what="The process {instance} has started {value} times within 15 minutes",
        cause=("It fails soon after its start, or is ended from outside: by its memory limit, or by a liveness probe."),
        cure="Read the last lines of its log before each start; compare its memory with its limit.",
        signal=_of_clarion(Changes(Series("process_start_time_seconds"), 15 * MINUTE_S)),
        threshold=above(2, for_s=0, clear_s=5 * MINUTE_S),
        only_outside=True,
    ),
    Rule(
        id="cpu-saturated",
        title="CPU saturated",
        severity="warning",
        what="The process uses {value} of the one processor that it can use",
        cause="More comes in than one process of its kind can handle, or other programs share its machine.",
        cure=(
            "Start another process of the same kind: a lane takes as many as its topic has partitions, gateways and "
            "ingest any number."
        ),
        signal=_of_clarion(Rate(Series("process_cpu_seconds_total"), 2 * MINUTE_S)),
        threshold=above(0.9, clear=0.75, for_s=2 * MINUTE_S, clear_s=MINUTE_S),
        unit="share",
    ),
    Rule(
        id="memory-growth",
        title="Memory growth",
        severity="warning",
        what="The process's memory is {value} of what it was an hour ago, and does not go back",
        cause="It has many more connections than before, or it leaks.",
        cure=(
            "Compare its memory with its connections on the dashboard. If they do not grow together, restart the "
            "process, which loses nothing, and report it with what `/health/metrics` said before."
        ),
        # its lowest of late above its highest before: neither a peak nor the growth after a start counts
        signal=_of_clarion(
            Ratio(Extreme("min", _MEMORY, 20 * MINUTE_S), Extreme("max", _MEMORY, 20 * MINUTE_S, HOUR_S))
        ),
        threshold=above(1.5, clear=1.2, for_s=5 * MINUTE_S, clear_s=5 * MINUTE_S),
        volume=Volume(Value(_MEMORY), 192 * _MIB),
        unit="share",
    ),
    Rule(
        id="event-loop-slow",
        title="Event loop slow",
        severity="warning",
        what="One in a hundred timers of the event loop comes {value} late or later",
        cause=(
            "Something computes for long without giving way, the processor is taken by others, or the machine is out "
            "of memory and swaps."
        ),
        cure=(
            "Look at CPU saturated and at the machine first. If this process alone is late, its log and its dashboard "
            "say what it did then: large windows, a large replay, or a large scrape."
        ),
        signal=Quantile(0.99, Series("clarion_loop_delay_seconds"), 2 * MINUTE_S, away=()),
        threshold=above(0.1, clear=0.05, for_s=MINUTE_S, clear_s=MINUTE_S),
        unit="seconds",
    ),
    Rule(
        id="file-descriptors-short",
        title="File descriptors short",
        severity="warning",
        what="The process has opened {value} of the file descriptors that it may",
        cause="Each connection takes one, and `ulimit -n` is low for so many.",
        cure="Raise `ulimit -n` of the process, lower `CLARION_CONNECTIONS`, or start another gateway.",
        signal=_of_clarion(Ratio(Value(Series("process_open_fds")), Value(Series("process_max_fds")))),
        threshold=above(0.85, clear=0.75, for_s=0, clear_s=30),
        unit="share",
    ),
    Rule(
        id="logs-dropped",
        title="Logs dropped",
        severity="warning",
        what="{value} lines of the log were dropped within ten minutes",
        cause="What reads the process's output is slow or blocked, so the queue of lines was full. Work goes on.",
        cure="Look at the log's reader and its disk. For what happened meanwhile go by the metrics.",
        signal=Added(OURS, 10 * MINUTE_S),
        threshold=above(0, for_s=0, clear_s=0),
    ),
)
