"""The dashboard of what Clarion depends on: Kafka, MongoDB, and the observer that looks at both."""

from deploy.grafana.charts import Board, Chart, Query, Row, counted, highest, lowest, quantile, series, total


def dependencies() -> Board:
    """Return the dashboard of dependencies."""
    return Board(
        "clarion-dependencies",
        "Clarion / Kafka and MongoDB",
        "Whether Kafka and MongoDB answer, how fast, what they refuse, and how much room is left.",
        [_UP, _CALLS, _REFUSED, _MACHINES],
    )


_UP = Row(
    "Do they answer?",
    [
        Chart(
            "Reached",
            "Whether every process reaches the server (1) or one of them does not (0).",
            "bool_yes_no",
            [Query(lowest(series("clarion_dependency_up")))],
            width=12,
        ),
        Chart(
            "Circuit breakers",
            "0 closed, 1 half-open, 2 open: half of the calls fail, and they are tried again in moments.",
            "none",
            [Query(highest(series("clarion_breaker_state")))],
            width=12,
            limit=1.5,
        ),
    ],
)

_CALLS = Row(
    "How well?",
    [
        counted("Retries", "Calls that failed and were tried again. A few are a failover.", "clarion_retries_total"),
        Chart(
            "Storing, p99",
            "How long a window takes to be stored in MongoDB, by lane. See Slow store.",
            "s",
            [Query(quantile(0.99, "clarion_stage_seconds", "stage", stage="store"))],
            limit=1,
        ),
        Chart(
            "Emitting, p99",
            "How long Kafka takes to acknowledge a window's deliveries, by lane.",
            "s",
            [Query(quantile(0.99, "clarion_stage_seconds", "stage", stage="emit"))],
        ),
        counted("Receipts folded", "Changes of state that were written to MongoDB, by kind.", "clarion_folded_total"),
        Chart(
            "Inserts at once",
            "How many bulk inserts MongoDB takes at once. 1 for long means that it is slow.",
            "none",
            [Query(total(series("clarion_insert_limit")))],
        ),
        counted(
            "Windows shelved",
            "Windows that were put off, since MongoDB is slow or away.",
            "clarion_windows_shelved_total",
        ),
    ],
)

_REFUSED = Row(
    "What they refuse",
    [
        counted(
            "MongoDB refuses",
            "Changes that MongoDB refused for good. The log has its words.",
            "clarion_writes_refused_total",
        ),
        counted(
            "Kafka refuses",
            "Batches that Kafka refused, by its error: rights, a full disk, too few replicas.",
            "clarion_producer_renewed_total",
        ),
        counted(
            "Too large",
            "Records that are too large for their topic. Run `clarion topics check`.",
            "clarion_records_refused_total",
        ),
    ],
)

_MACHINES = Row(
    "Machines",
    [
        Chart(
            "Disk of MongoDB that is free",
            "Below 10 % somebody is called: a full disk ends mongod.",
            "percentunit",
            [Query(lowest(series("clarion_store_free_ratio")))],
        ),
        Chart(
            "Clocks",
            "By how much the servers' clocks differ from the observer's.",
            "s",
            [Query(highest(f"abs({series('clarion_clock_skew_seconds')})"))],
            limit=1,
        ),
        counted(
            "Looks that failed",
            "What the observer could not see. Its gauges are missing meanwhile.",
            "clarion_looks_failed_total",
        ),
    ],
)
