"""The dashboard to look at first: is it well, what goes through, and are the objectives kept."""

from clarion.contracts.objectives import ACCEPTING, ON_TIME
from clarion.rules.objectives import late_share
from clarion.rules.promql import promql
from deploy.grafana.charts import Board, Chart, Query, Row, counted, highest, quantile, rate, series, total
from deploy.grafana.dashboards.shared import PROCESS_ROW, in_dashboard


def overview() -> Board:
    """Return the overview."""
    return Board(
        "clarion-overview",
        "Clarion / Overview",
        "Whether Clarion is well, what goes through it, and whether its objectives are kept.",
        [_WELL, _THROUGH, _OBJECTIVES, PROCESS_ROW],
    )


_WELL = Row(
    "Is it well?",
    [
        Chart(
            "Troubles",
            "Rules that hold now, as the processes' own monitors find. The runbook has each; `/health` has the cause.",
            "none",
            [Query(total(series("clarion_trouble"), "rule"))],
            "number",
            4,
            limit=0.5,
        ),
        Chart(
            "Processes",
            "Processes that answer Prometheus. Fewer than you have started means that one is gone.",
            "none",
            [Query(total(series("up")))],
            "number",
            4,
        ),
        Chart(
            "Connections",
            "Clients that are connected, by WebSocket and event stream.",
            "short",
            [Query(total(series("clarion_connections"), "state"))],
            "number",
            4,
        ),
        Chart(
            "Longest lag",
            "How long the oldest record has waited in any lane. See the dashboard of lanes for which.",
            "s",
            [Query(highest(series("clarion_lag_seconds"), "lane"))],
            "number",
            4,
            limit=30,
        ),
        Chart(
            "Dead letters",
            "Records that nobody could process, kept until somebody replays or purges them (`clarion dlq list`).",
            "short",
            [Query(highest(series("clarion_dead_letters"), "reason"))],
            "number",
            4,
        ),
        Chart(
            "Unaccounted",
            "Accepted notifications in no state. It has to be 0: run `clarion audit` if it is not.",
            "short",
            [Query(highest(series("clarion_unaccounted")))],
            "number",
            4,
            limit=0.5,
        ),
        Chart(
            "Troubles by rule",
            "Which rules hold in how many processes. Each has a section in the runbook.",
            "none",
            [Query(total(series("clarion_trouble")))],
            "stacked",
            24,
        ),
    ],
)

_THROUGH = Row(
    "What goes through",
    [
        counted("Accepted", "Notifications that Kafka has acknowledged to ingest, by lane.", "clarion_accepted_total"),
        counted("Stored", "Notifications that the lanes have stored for the first time.", "clarion_stored_total"),
        counted("Acknowledged", "Notifications that clients have said they handled.", "clarion_delivered_total"),
        Chart(
            "Lag",
            "How long the oldest record of each lane has waited. A line that rises by a second each second stands"
            " still: see Stalled lane in the runbook.",
            "s",
            [Query(highest(series("clarion_lag_seconds")))],
        ),
        Chart(
            "Pending",
            "Stored notifications that nobody has acknowledged yet, by lane. They wait for users who are away.",
            "short",
            [Query(highest(series("clarion_pending")))],
        ),
        counted(
            "Answers of ingest",
            "Answers to publishing requests, by HTTP status. 5xx are Clarion's fault, 4xx the sender's.",
            "clarion_answered_total",
            kind="stacked",
        ),
    ],
)

_OBJECTIVES = Row(
    "Are the objectives kept?",
    [
        Chart(
            "Delivery, p99",
            "From created until the frame is written, of live deliveries. Objectives: urgent 250 ms, high 500 ms,"
            " normal 1 s, low 5 s.",
            "s",
            [Query(quantile(0.99, "clarion_delivery_seconds"))],
        ),
        Chart(
            "Late deliveries",
            f"The share of live deliveries later than their lane's objective. {1 - ON_TIME:.0%} is the budget.",
            "percentunit",
            [Query(in_dashboard(promql(late_share(300))))],
            limit=1 - ON_TIME,
        ),
        Chart(
            "Answers with 5xx",
            f"The share of publishing requests that ingest could not accept. {1 - ACCEPTING:.1%} is the budget.",
            "percentunit",
            [
                Query(
                    f"{total(rate('clarion_answered_total', status='~5..'), 'status')}"
                    f" / {total(rate('clarion_answered_total'), 'status')}"
                )
            ],
            limit=1 - ACCEPTING,
        ),
    ],
)
