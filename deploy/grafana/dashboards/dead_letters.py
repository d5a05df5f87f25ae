"""The dashboard of dead letters, and of all else that did not go as its sender wished."""

from deploy.grafana.charts import Board, Chart, Query, Row, counted, highest, series


def dead_letters() -> Board:
    """Return the dashboard of dead letters."""
    return Board(
        "clarion-dead-letters",
        "Clarion / Dead letters",
        "Records that nobody can process, requests that were refused, and notifications that are not accounted for.",
        [_LETTERS, _REFUSED, _ACCOUNT],
    )


_LETTERS = Row(
    "Dead letters",
    [
        Chart(
            "Kept",
            "Dead letters that are neither replayed nor purged, by reason. `clarion dlq list` shows them.",
            "short",
            [Query(highest(series("clarion_dead_letters")))],
            "stacked",
            12,
        ),
        counted(
            "Coming in",
            "Records that became dead letters, by reason. Have their producer mended first, and replay then.",
            "clarion_dead_lettered_total",
            kind="stacked",
            width=12,
        ),
    ],
)

_REFUSED = Row(
    "Refused at the door",
    [
        counted(
            "Refused requests",
            "Requests, and lines of batches, that were refused, by HTTP status. 4xx is the sender's to mend.",
            "clarion_refused_total",
            kind="stacked",
        ),
        counted("Beyond limits", "What went beyond a limit, by which one.", "clarion_rate_limited_total"),
        counted("Retracted", "Notifications that their senders took back.", "clarion_retracted_total"),
    ],
)

_ACCOUNT = Row(
    "Accounts",
    [
        Chart(
            "Unaccounted",
            "Accepted notifications in no state. It has to be 0: run `clarion audit` if it is not.",
            "short",
            [Query(highest(series("clarion_unaccounted")))],
            limit=0.5,
        ),
        counted(
            "Pushed by the safety net",
            "What no other way had delivered. It has to stay 0.",
            "clarion_overlooked_total",
        ),
        counted(
            "Mailbox records unreadable",
            "Records of mailboxes that a gateway could not read. Its clients read the store instead.",
            "clarion_mailbox_lost_total",
        ),
    ],
)
