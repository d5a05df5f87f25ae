"""Troubles of clients and senders: they come and go, are refused, or there is no mailbox for a gateway. Pure data."""

from typing import Final

from clarion.rules.rule import Rule, Volume, above, below
from clarion.rules.signals import (
    MINUTE_S,
    Combined,
    Rate,
    Ratio,
    Series,
    Value,
    total,
)

_CLOSED: Final = Combined("sum", Rate(Series("clarion_closed_total"), 2 * MINUTE_S), ("code",))
_OPEN: Final = Combined("sum", Value(Series("clarion_connections")), ("state",))
_UNAVAILABLE: Final = Rate(Series("clarion_answered_total", {"status": "~5.."}), 5 * MINUTE_S)
_ANSWERED: Final = Rate(Series("clarion_answered_total"), 5 * MINUTE_S)

CLIENTS: Final = (
    Rule(
        id="connection-churn",
        title="Connection churn",
        severity="warning",
        what="So many connections of a gateway close that each second {value} of those open do",
        cause=(
            "A proxy or load balancer ends connections early, a page reconnects in a loop, or the network of many "
            "users fails."
        ),
        cure=(
            "See the close codes on the dashboard of gateways: 1006 and 4408 are the network or a proxy, whose idle "
            "timeout has to be above 60 s; 4401 is tokens that end soon; 4429 is one user or address with too many."
        ),
        signal=Ratio(_CLOSED, _OPEN),
        threshold=above(0.005, clear=0.002, for_s=2 * MINUTE_S, clear_s=2 * MINUTE_S),
        volume=Volume(_CLOSED, 1),
        unit="share",
    ),
    Rule(
        id="clients-refused",
        title="Clients refused",
        severity="warning",
        what="Gateways refuse sockets with the status {status}, {value}",
        cause=(
            "429: more connections than allowed, from one address or in all. 503: a gateway has no mailbox, or a "
            "server is down. 401 and 403: tokens or origins that are wrong."
        ),
        cure=(
            "429: set `CLARION_TRUSTED_PROXIES` if all clients seem to come from a proxy; else start another gateway. "
            "503: ask `/health` of the gateways. 401 and 403: compare the issuer's settings and `CLARION_ORIGINS`."
        ),
        signal=total(Rate(Series("clarion_upgrades_refused_total"), 5 * MINUTE_S)),
        threshold=above(1, clear=0.2, for_s=2 * MINUTE_S, clear_s=2 * MINUTE_S),
        unit="per second",
    ),
    Rule(
        id="mailboxes-running-out",
        title="Mailboxes running out",
        severity="warning",
        what="{value} mailboxes are free for more gateways",
        cause="There are almost as many gateways as mailboxes, or gateways that crashed still hold theirs.",
        cure=(
            "A crashed gateway's mailbox is free 40 s later. If there are so many gateways, grow `deliveries` and "
            "`deliveries.urgent` by `clarion topics grow`, and then raise `CLARION_PARTITIONS_DELIVERIES` everywhere."
        ),
        signal=Combined("min", Value(Series("clarion_mailboxes_free"))),
        threshold=below(2, clear=3, for_s=2 * MINUTE_S, clear_s=MINUTE_S),
    ),
    Rule(
        id="sender-flood",
        title="Sender flood",
        severity="warning",
        what="Ingest refuses what is above a sender's limit, {value}",
        cause="A sender publishes more than `CLARION_SENDER_RATE` allows, or tries again at once instead of waiting.",
        cure=(
            "The sender's own log has the status 429. Have it honour `Retry-After`, or raise `CLARION_SENDER_RATE` if "
            "it should publish so much. Other senders are not affected."
        ),
        signal=total(Rate(Series("clarion_rate_limited_total", {"limit": "sender_rate"}), 2 * MINUTE_S), "limit"),
        threshold=above(1, clear=0.2, for_s=30, clear_s=MINUTE_S),
        unit="per second",
    ),
    Rule(
        id="ingest-unavailable",
        title="Ingest unavailable",
        severity="warning",
        what="Ingest answers {value} of the publishing requests with 5xx",
        cause="Kafka is away, refuses records or is slow to acknowledge them, or ingest has too many requests in hand.",
        cure="Ask `/health` of the ingest processes. With Kafka well, start another ingest process.",
        signal=Ratio(total(_UNAVAILABLE, "status"), total(_ANSWERED, "status")),
        threshold=above(0.01, clear=0.005, for_s=MINUTE_S, clear_s=2 * MINUTE_S),
        volume=Volume(total(_ANSWERED, "status"), 0.5),
        unit="share",
    ),
)
