"""The dashboard of gateways: who is connected, what is pushed, and what is refused."""

from deploy.grafana.charts import Board, Chart, Query, Row, counted, highest, lowest, quantile, rate, series, total


def gateways() -> Board:
    """Return the dashboard of gateways."""
    return Board(
        "clarion-gateways",
        "Clarion / Gateways",
        "Who is connected, what is pushed to them and how soon, what they acknowledge, and what is refused.",
        [_CONNECTIONS, _DELIVERY, _REPLAY, _REFUSED, _MAILBOXES],
    )


_CONNECTIONS = Row(
    "Connections",
    [
        Chart(
            "Connections of each gateway",
            "Open connections, by gateway. Unequal ones are a load balancer's doing; 18,000 is the limit of one.",
            "short",
            [Query(f"sum without (state) ({series('clarion_connections')})")],
        ),
        Chart(
            "Users",
            "Users with at least one connection, by gateway.",
            "short",
            [Query(series("clarion_rooms"))],
        ),
        counted(
            "Closed, by code",
            "Connections that ended: 1006 and 4408 are the network or a proxy, 4401 tokens, 4429 too many of one user"
            " or address, 1012 a gateway that ends.",
            "clarion_closed_total",
            kind="stacked",
        ),
        counted(
            "Heartbeats missed",
            "Connections that answered no ping in time: the network or a proxy has cut them.",
            "clarion_heartbeats_missed_total",
        ),
        Chart(
            "Event streams",
            "Connections by Server-Sent Events, where a proxy lets no WebSocket through.",
            "short",
            [Query(total(series("clarion_streams")))],
        ),
        counted(
            "Acknowledged",
            "Notifications that clients have said they handled.",
            "clarion_delivered_total",
        ),
    ],
)

_DELIVERY = Row(
    "Delivery",
    [
        Chart(
            "Delivery, p50 and p99",
            "From created until the frame is written, of live deliveries.",
            "s",
            [
                Query(quantile(0.5, "clarion_delivery_seconds"), "p50 {{lane}} {{job}}"),
                Query(quantile(0.99, "clarion_delivery_seconds"), "p99 {{lane}} {{job}}"),
            ],
        ),
        Chart(
            "Delivery of each gateway, p99",
            "For each gateway, over all lanes: one that is late alone has trouble of its own.",
            "s",
            [Query(f"histogram_quantile(0.99, sum without (lane) ({rate('clarion_delivery_seconds_bucket')}))")],
        ),
        counted(
            "Pushed",
            "Items that were written to connections: live, replayed to who was away, or before they were stored.",
            "clarion_pushed_total",
            "lane",
            kind="stacked",
        ),
    ],
)

_REPLAY = Row(
    "Catching up",
    [
        Chart(
            "Items of a replay, p50 and p99",
            "How many items a client that comes back is sent.",
            "short",
            [
                Query(quantile(0.5, "clarion_replay_items"), "p50 {{job}}"),
                Query(quantile(0.99, "clarion_replay_items"), "p99 {{job}}"),
            ],
        ),
        counted(
            "Credit exhausted",
            "How often a client could take no more at once. It catches up as it acknowledges; many mean slow clients.",
            "clarion_credit_exhausted_total",
        ),
        counted(
            "Repeats dropped",
            "Live items that a connection had already: harmless, and many after a lane was restarted.",
            "clarion_repeats_dropped_total",
        ),
    ],
)

_REFUSED = Row(
    "Refused",
    [
        counted(
            "Sockets refused",
            "Upgrades that were refused, by HTTP status. 429 are limits, 503 a gateway without mailbox or servers.",
            "clarion_upgrades_refused_total",
        ),
        counted("Limits", "What went beyond a limit, by which one.", "clarion_rate_limited_total", kind="stacked"),
        Chart(
            "Receipts that wait",
            "Acknowledgements that Kafka has not taken yet. At 10,000 a gateway drops them, and items are replayed.",
            "short",
            [Query(highest(series("clarion_receipts_buffered")))],
            limit=8_000,
        ),
    ],
)

_MAILBOXES = Row(
    "Mailboxes and the safety net",
    [
        Chart(
            "Free mailboxes",
            "How many more gateways can start. Grow `deliveries` and `deliveries.urgent` when few are left.",
            "none",
            [Query(lowest(series("clarion_mailboxes_free")))],
        ),
        counted(
            "Looks of the safety net",
            "Each gateway looks once a minute. `missed` means that MongoDB did not answer in time.",
            "clarion_safety_net_looks_total",
        ),
        counted(
            "Pushed by the safety net",
            "It has to stay 0. If it does not, report it with the logs of that time.",
            "clarion_overlooked_total",
        ),
    ],
)
