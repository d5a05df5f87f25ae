"""Metrics of gateways: connections, what they are sent, and the mailbox."""

from typing import Final

from clarion.telemetry.metrics import buckets, labels
from clarion.telemetry.metrics.declare import Subject

GATEWAY: Final = Subject("Gateway", "Connections, what they are sent and acknowledge, and the gateway's mailbox.")

# ---- connections

connections = GATEWAY.gauge(
    "clarion_connections",
    "Connections by state: `opening` until the client's session is stored, `open`, and `closing` after the last frame",
    labels.CONNECTION_STATE,
    unit="connections",
    remedy="Before a gateway comes near CLARION_CONNECTIONS, start another one.",
)
streams = GATEWAY.gauge(
    "clarion_streams",
    "Open connections by Server-Sent Events, which clarion_connections counts as well",
    unit="connections",
    remedy="Many of them mean that a proxy lets no WebSocket through.",
)
rooms = GATEWAY.gauge(
    "clarion_rooms",
    "Users with at least one connection at this gateway",
    unit="users",
    remedy="None is needed: compare it with the connections, which are up to ten a user.",
)
upgrades_refused = GATEWAY.counter(
    "clarion_upgrades_refused",
    "Sockets that were refused before the upgrade, by HTTP status",
    labels.STATUS,
    unit="sockets",
    remedy="401 are tokens, 429 an address above its limits, 503 a gateway that is full, starting or draining.",
)
closed = GATEWAY.counter(
    "clarion_closed",
    "Connections that were closed, by close code",
    labels.CLOSE_CODE,
    unit="connections",
    remedy="`docs/errors.md` says what to do about each close code.",
)
heartbeats_missed = GATEWAY.counter(
    "clarion_heartbeats_missed",
    "Connections that were closed because no pong came within 10 s",
    unit="connections",
    remedy="Clients that lost their network come back by themselves. Many at once are a proxy, or this gateway's CPU.",
)
resumes_ignored = GATEWAY.counter(
    "clarion_resumes_ignored",
    "Clients whose cursors did not count: of another user or deployment (`foreign`), or above the end of a lane"
    " (`beyond`), as after a topic was created again; they are told to read their inbox",
    labels.RESUME_REASON,
    unit="clients",
    remedy="`beyond` is expected after a topic was made anew; `foreign`, where an application shares a device.",
)
stream_acks = GATEWAY.counter(
    "clarion_stream_acks",
    "Acknowledgements by POST: handled `here`, or `forwarded` to the gateway of the stream",
    labels.ACKED_HOW,
    unit="acknowledgements",
    remedy="None is needed: forwarded ones cost a record on Kafka each.",
)

# ---- deliveries

pushed = GATEWAY.fast_counter(
    "clarion_pushed",
    "Items that were written to connections",
    labels.LANE,
    labels.PUSHED_HOW,
    unit="items",
    remedy="A large share of `replay` means that clients are slow, or come and go.",
)
delivered = GATEWAY.fast_counter(
    "clarion_delivered",
    "Notifications that a client acknowledged",
    labels.LANE,
    unit="notifications",
    remedy="If it falls behind `clarion_pushed_total`, clients do not handle what they get.",
)
delivery_seconds = GATEWAY.fast_histogram(
    "clarion_delivery_seconds",
    "Time from when a notification could be had first until the frame is written, of live pushes only",
    labels.LANE,
    unit="seconds",
    remedy="If the p99 is above the lane's objective, see `clarion_stage_seconds` and the lag for where it waits.",
    buckets=buckets.DELIVERY_S,
)
repeats_dropped = GATEWAY.counter(
    "clarion_repeats_dropped",
    "Live items that were dropped because they are at or below a connection's cursor",
    labels.LANE,
    unit="items",
    remedy="Harmless: a worker did a window again after a crash or a rebalance.",
)
credit_exhausted = GATEWAY.counter(
    "clarion_credit_exhausted",
    "Times that a live connection could take no more, and began to catch up from the store",
    unit="connections",
    remedy="Clients acknowledge too slowly for what they get: look at what they do, and at who floods whom.",
)
catching_up_connections = GATEWAY.gauge(
    "clarion_catching_up_connections",
    "Connections that wait for a read of the store, or are being read for",
    unit="connections",
    remedy="If it stays high, MongoDB is slow, or many came at once: CLARION_REPLAY_READS may be raised.",
)
replay_items = GATEWAY.histogram(
    "clarion_replay_items",
    "Items that a connection was sent from the store until all of its lanes were live",
    unit="items",
    remedy="None is needed: large ones are users who were away for long, or whose clients are slow.",
    buckets=buckets.LARGE_COUNT,
)
ahead_bytes = GATEWAY.gauge(
    "clarion_ahead_bytes",
    "Bytes of items that were read from the store and wait for credit, for up to a second",
    unit="bytes",
    remedy="None is needed: it has a bound of 16 MiB.",
)

# ---- the safety net

overlooked = GATEWAY.counter(
    "clarion_overlooked",
    "Items that the safety net pushed because no other way had delivered them",
    labels.LANE,
    unit="items",
    remedy="It should stay 0: report it with the gateway's log.",
)
safety_net_looks = GATEWAY.counter(
    "clarion_safety_net_looks",
    "Looks of the safety net: `done`, or `missed` when one did not end in time",
    labels.LOOKED_HOW,
    unit="looks",
    remedy="If looks are missed, MongoDB is slow or away, or the gateway is at its limit.",
)
safety_net_asked = GATEWAY.counter(
    "clarion_safety_net_asked",
    "Users that the safety net asked about, each time: connected, and with nothing on its way",
    unit="users",
    remedy="None is needed: if it stands still with users connected, the safety net does not look.",
)

# ---- the mailbox and receipts

mailbox_epoch = GATEWAY.gauge(
    "clarion_mailbox_epoch",
    "Epoch of the lease of the mailbox that this gateway holds; 0 without one",
    unit="epoch",
    remedy="At 0 for a minute, there is no free mailbox, or MongoDB or Kafka is away: see `/health`.",
)
mailbox_lost = GATEWAY.counter(
    "clarion_mailbox_lost",
    "Records of the mailbox that cannot be read, after which all connections read the store",
    unit="records",
    remedy="Somebody else writes to `deliveries`, or a gateway is older than a lane: the log names the record.",
)
mailboxes_cleared = GATEWAY.counter(
    "clarion_mailboxes_cleared",
    "Mailboxes of dead gateways that this gateway has cleared of sessions and given back",
    unit="mailboxes",
    remedy="Each is a gateway that was killed: look for what ended it.",
)
inbound_bytes = GATEWAY.gauge(
    "clarion_inbound_bytes",
    "Bytes that clients have sent and that are not handled yet",
    unit="bytes",
    remedy="Near 1 MiB the gateway's core is busy with acknowledgements: start more gateways.",
)
receipts_buffered = GATEWAY.gauge(
    "clarion_receipts_buffered",
    "Receipts that Kafka has not acknowledged yet",
    unit="receipts",
    remedy="If it grows towards 10,000, Kafka is slow or away.",
)
receipts_dropped = GATEWAY.counter(
    "clarion_receipts_dropped",
    "Receipts that were given up, and whose items are replayed",
    unit="receipts",
    remedy="Kafka and MongoDB were both away for long: nothing is lost, and clients drop the repeats by their ids.",
)
