"""The figures by which the performance monitor tells how a process does, as signals. Pure data."""

from collections.abc import Mapping
from typing import Final

from clarion.rules.signals import MINUTE_S, Combined, Quantile, Rate, Series, Signal, Value

FIGURES: Final[Mapping[str, Signal]] = {
    "cpu_cores": Rate(Series("process_cpu_seconds_total"), MINUTE_S),
    "memory_bytes": Value(Series("process_resident_memory_bytes")),
    "event_loop_delay_p99_s": Quantile(0.99, Series("clarion_loop_delay_seconds"), 2 * MINUTE_S, away=()),
    "accepted_per_s": Rate(Series("clarion_accepted_total"), MINUTE_S),
    "stored_per_s": Rate(Series("clarion_stored_total"), MINUTE_S),
    "pushed_per_s": Combined("sum", Rate(Series("clarion_pushed_total"), MINUTE_S), ("how",)),
    "acknowledged_per_s": Rate(Series("clarion_delivered_total"), MINUTE_S),
    "folded_per_s": Rate(Series("clarion_folded_total"), MINUTE_S),
    "retries_per_s": Rate(Series("clarion_retries_total"), MINUTE_S),
    "answers_per_s": Rate(Series("clarion_answered_total"), MINUTE_S),
    "connections": Value(Series("clarion_connections")),
    "lag_records": Value(Series("clarion_lag_records")),
    "lag_seconds": Value(Series("clarion_lag_seconds")),
}
