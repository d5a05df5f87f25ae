"""The metric catalogue: every series that Clarion exports.

No label is a user, an id, a connection or a raw path: each value of a label makes a series, so there would be no limit
to their number.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from clarion.telemetry.fast_metrics import FastCounter, FastHistogram

# Buckets around the objectives (publish → frame, p99): urgent 250 ms, high 500 ms, normal 1 s, low 5 s.
_DELIVERY_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)
_STAGE_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_COUNT: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

accepted = Counter("clarion_accepted", "Notifications that Kafka has acknowledged to ingest", ["lane"])
retracted = Counter("clarion_retracted", "Notifications that their sender took back, as acknowledged by Kafka")
retracted_unfound = Counter(
    "clarion_retracted_unfound",
    "Retracted notifications that were not stored then: each may leave a stub for 8 days, and a sender one a second",
)
refused = Counter("clarion_refused", "Refused requests, or refused lines of a request, by HTTP status", ["status"])
remembered_keys = Gauge("clarion_remembered_keys", "Idempotency keys whose content this process remembers")
held_bytes = Gauge(
    "clarion_held_bytes", "Bytes of bodies in hand, and at ingest of records that Kafka has not acknowledged yet"
)

window_items = Histogram("clarion_window_items", "Records in a window", ["lane"], buckets=_COUNT)
windows_in_flight = Gauge("clarion_windows_in_flight", "Windows that are worked on", ["lane"])
windows_lost = Counter("clarion_windows_lost", "Windows dropped because their partitions were given up", ["lane"])
windows_shelved = Counter("clarion_windows_shelved", "Windows put off while MongoDB is slow or away", ["lane"])
unstored = Counter("clarion_unstored", "Urgent items sent to every mailbox before they were stored")
insert_limit = Gauge(
    "clarion_insert_limit", "Bulk inserts that may be in flight at once, as their latency allows", ["lane"]
)
stage_seconds = Histogram(
    "clarion_stage_seconds", "Time that a window spends in a stage", ["lane", "stage"], buckets=_STAGE_S
)
stored = Counter("clarion_stored", "Notifications stored for the first time", ["lane"])
repeated = Counter("clarion_repeated", "Records whose notification was stored before already", ["lane"])
emitted = Counter("clarion_emitted", "Items put into mailboxes", ["lane"])
collapsed = Counter("clarion_collapsed", "Pending notifications that were replaced under their collapse key", ["lane"])
deferred = Counter(
    "clarion_deferred",
    "Newest notifications of a collapse key above the limit, after the flood: `shown`, or `held back`",
    ["how"],
)
throttled = Counter(
    "clarion_throttled", "Notifications above their recipient's limit, which are stored and not pushed", ["lane"]
)
moved = Counter("clarion_moved", "Records that were sent on to their recipient's partition", ["lane"])
early = Counter(
    "clarion_early", "Records that came to a lane before they were due, and were sent on to be held", ["lane"]
)
scheduled = Counter("clarion_scheduled", "Notifications held until they are due")
released = Counter("clarion_released", "Notifications that were due and sent to their lane", ["lane"])
release_late_seconds = Histogram(
    "clarion_release_late_seconds", "Time from when a notification is due until it is in its lane", buckets=_DELIVERY_S
)
expired = Counter("clarion_expired", "Notifications that expired before anybody received them", ["lane"])
dead_lettered = Counter("clarion_dead_lettered", "Records that were sent to the topic dead-letters", ["reason"])
writes_refused = Counter(
    "clarion_writes_refused",
    "Changes that MongoDB refused for good because of their content; other changes are made",
    ["collection"],
)
producer_renewed = Counter(
    "clarion_producer_renewed",
    "New epochs that a producer began after Kafka refused a batch, by the error",
    ["error"],
)
records_refused = Counter(
    "clarion_records_refused", "Records that were given up because they are too large for a topic", ["topic"]
)
retries = Counter("clarion_retries", "Calls that were tried again after a failure", ["dependency"])
breaker_state = Gauge(
    "clarion_breaker_state", "State of the circuit breaker: 0 closed, 1 half-open, 2 open", ["dependency"]
)
folded = Counter("clarion_folded", "Receipts that were folded into stored notifications", ["op"])
topics_made_anew = Counter(
    "clarion_topics_made_anew", "Topics that were deleted and created again under the same name", ["topic"]
)
read_again = Counter(
    "clarion_read_again",
    "Partitions that were read again because the store was behind their commits, as after a restore",
    ["topic"],
)
partitions_waiting = Gauge(
    "clarion_partitions_waiting",
    "New partitions of a topic that has grown, which are not read until older records are done",
    ["topic"],
)
lag_records = Gauge("clarion_lag_records", "Records that this process has still to take from its partitions", ["lane"])
open_transaction_seconds = Gauge(
    "clarion_open_transaction_seconds", "Time for which a partition has waited for an open transaction", ["lane"]
)
buffered_bytes = Gauge("clarion_buffered_bytes", "Bytes that are fetched and not acknowledged yet", ["lane"])

connections = Gauge("clarion_connections", "Open connections", ["state"])
upgrades_refused = Counter(
    "clarion_upgrades_refused", "Sockets that were refused before the upgrade, by HTTP status", ["status"]
)
connections_refused = Counter(
    "clarion_connections_refused", "Connections that were refused because file descriptors are short"
)
answers_reset = Counter("clarion_answers_reset", "Answers that were given up because nobody read them")
streams = Gauge("clarion_streams", "Open connections by Server-Sent Events, which clarion_connections counts as well")
stream_acks = Counter(
    "clarion_stream_acks",
    "Acknowledgements by POST: handled `here`, or `forwarded` to the gateway of the stream",
    ["how"],
)
rooms = Gauge("clarion_rooms", "Users with at least one connection at this gateway")
closed = Counter("clarion_closed", "Connections that were closed, by close code", ["code"])
delivered = FastCounter("clarion_delivered", "Notifications that a client acknowledged", ["lane"])
delivery_seconds = FastHistogram(
    "clarion_delivery_seconds",
    "Time from created_at until the frame is written, of live pushes only",
    "lane",
    _DELIVERY_S,
)
pushed = FastCounter("clarion_pushed", "Items that were written to connections", ["lane", "how"])
overlooked = Counter(
    "clarion_overlooked", "Items that the safety net pushed because no other way had delivered them", ["lane"]
)
safety_net_looks = Counter(
    "clarion_safety_net_looks",
    "Looks of the safety net: `done`, or `missed` when one did not end in time",
    ["how"],
)
safety_net_asked = Counter(
    "clarion_safety_net_asked",
    "Users that the safety net asked about, each time: connected, and with nothing on its way",
)
repeats_dropped = Counter(
    "clarion_repeats_dropped",
    "Live items that were dropped because they are at or below a connection's cursor",
    ["lane"],
)
resumes_ignored = Counter(
    "clarion_resumes_ignored",
    "Clients whose cursors did not count: of another user or deployment (`foreign`), or above the end of a lane"
    " (`beyond`), as after a topic was created again; they are told to read their inbox",
    ["reason"],
)
ahead_bytes = Gauge(
    "clarion_ahead_bytes", "Bytes of items that were read from the store and wait for credit, for up to a second"
)
mailbox_epoch = Gauge(
    "clarion_mailbox_epoch", "Epoch of the lease of the mailbox that this gateway holds; 0 without one"
)
mailbox_lost = Counter(
    "clarion_mailbox_lost", "Records of the mailbox that cannot be read, after which all connections read the store"
)
mailboxes_cleared = Counter(
    "clarion_mailboxes_cleared", "Mailboxes of dead gateways that this gateway has cleared of sessions and given back"
)
receipts_buffered = Gauge("clarion_receipts_buffered", "Receipts that Kafka has not acknowledged yet")
receipts_dropped = Counter("clarion_receipts_dropped", "Receipts that were given up, and whose items are replayed")

logs_dropped = Counter("clarion_logs_dropped", "Log records that were dropped because the queue was full")
dependency_up = Gauge("clarion_dependency_up", "Whether a dependency answers its probe (1) or not (0)", ["dependency"])


def count_renewal(error: str) -> None:
    """Count that a producer began a new epoch after `error`."""
    producer_renewed.labels(error).inc()
