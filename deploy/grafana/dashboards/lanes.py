"""The dashboard of lanes: how far each is, which stage takes longest, and what becomes of the records."""

from deploy.grafana.charts import Board, Chart, Query, Row, counted, highest, mean, quantile, series, total


def lanes() -> Board:
    """Return the dashboard of lanes."""
    return Board(
        "clarion-lanes",
        "Clarion / Lanes",
        "How far each lane is, which of its stages takes longest, and what becomes of its records.",
        [_LAG, _STAGES, _WINDOWS, _OUTCOMES, _SCHEDULER],
    )


_LAG = Row(
    "How far behind",
    [
        Chart(
            "Lag in seconds",
            "How long the oldest record has waited that is not done. As Kafka tells it, so it is here with every worker"
            " stopped.",
            "s",
            [Query(highest(series("clarion_lag_seconds")))],
            limit=30,
        ),
        Chart(
            "Lag in records",
            "Records that are in Kafka and not done yet.",
            "short",
            [Query(highest(series("clarion_lag_records")))],
        ),
        Chart(
            "Oldest pending",
            "How long ago the oldest notification was stored that nobody has acknowledged. It waits for its user.",
            "s",
            [Query(highest(series("clarion_oldest_pending_seconds")))],
        ),
    ],
)

_STAGES = Row(
    "Which stage takes longest",
    [
        Chart(
            "Stages, p99",
            "Time that windows spend in each stage. `store` is MongoDB, `emit` is Kafka, `decode` is the processor.",
            "s",
            [Query(quantile(0.99, "clarion_stage_seconds"))],
            width=12,
        ),
        Chart(
            "Stages, mean",
            "The same on average: what takes longest in sum is worth looking at first.",
            "s",
            [Query(mean("clarion_stage_seconds"))],
            "stacked",
            12,
        ),
    ],
)

_WINDOWS = Row(
    "Windows",
    [
        Chart(
            "Records in a window, p50",
            "Windows that are always full have a backlog behind them.",
            "short",
            [Query(quantile(0.5, "clarion_window_items"))],
        ),
        Chart(
            "Windows in flight",
            "Windows that are worked on at once. At `CLARION_WINDOWS_IN_FLIGHT` all the time, a stage is slow.",
            "none",
            [Query(total(series("clarion_windows_in_flight")))],
        ),
        Chart(
            "Oldest window",
            "For how long the oldest window has been in hand. Above some seconds a server does not answer.",
            "s",
            [Query(highest(series("clarion_window_age_seconds")))],
        ),
        counted(
            "Windows shelved",
            "Windows that were put off, since MongoDB is slow or away. They are stored once it answers.",
            "clarion_windows_shelved_total",
        ),
        Chart(
            "Inserts at once",
            "How many bulk inserts MongoDB takes at once before urgent ones would suffer.",
            "none",
            [Query(total(series("clarion_insert_limit")))],
        ),
        Chart(
            "Bytes in hand",
            "Bytes that are fetched and not acknowledged. At 16 MiB a process fetches no more.",
            "bytes",
            [Query(highest(series("clarion_buffered_bytes")))],
        ),
    ],
)

_OUTCOMES = Row(
    "What becomes of records",
    [
        counted("Stored", "Notifications that were stored for the first time.", "clarion_stored_total", width=6),
        counted("Repeated", "Records whose notification was stored already.", "clarion_repeated_total", width=6),
        counted("Emitted", "Items that were put into mailboxes of gateways.", "clarion_emitted_total", width=6),
        counted("Expired", "Notifications that expired before they were received.", "clarion_expired_total", width=6),
        counted("Collapsed", "Notifications that a newer one replaced.", "clarion_collapsed_total", width=6),
        counted(
            "Throttled",
            "Notifications above their recipient's limit: in the inbox, and not pushed. See Hot recipient.",
            "clarion_throttled_total",
            width=6,
        ),
        counted(
            "Unstored",
            "Urgent items that went live before they were stored, since MongoDB was slow or away.",
            "clarion_unstored_total",
            width=6,
        ),
        counted("Moved", "Records that were in a wrong partition and were sent on.", "clarion_moved_total", width=6),
    ],
)

_SCHEDULER = Row(
    "Scheduler",
    [
        counted("Held", "Notifications that are held until they are due.", "clarion_scheduled_total"),
        counted("Released", "Notifications that were due and went to their lanes.", "clarion_released_total"),
        Chart(
            "Lateness of releases, p99",
            "How long after it was due a notification is in its lane.",
            "s",
            [Query(quantile(0.99, "clarion_release_late_seconds"))],
            limit=10,
        ),
    ],
)
