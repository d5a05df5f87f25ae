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

accepted = Counter("clarion_accepted", "Notifications Kafka has acknowledged to ingest", ["lane"])
retracted = Counter("clarion_retracted", "Notifications taken back by their sender, as Kafka has acknowledged")
retracted_unfound = Counter(
    "clarion_retracted_unfound",
    "Of those, what was not stored when it was asked: each may leave a stub for 8 days, at most a second one a sender",
)
refused = Counter("clarion_refused", "Requests, or lines of one, that were refused, by HTTP status", ["status"])
remembered_keys = Gauge("clarion_remembered_keys", "Idempotency keys whose content this process remembers")
held_bytes = Gauge("clarion_held_bytes", "Bytes of bodies, and at ingest of records Kafka has not acknowledged yet")

window_items = Histogram("clarion_window_items", "Records in a window", ["lane"], buckets=_COUNT)
windows_in_flight = Gauge("clarion_windows_in_flight", "Windows being worked on", ["lane"])
windows_lost = Counter("clarion_windows_lost", "Windows dropped because their partitions were given up", ["lane"])
windows_shelved = Counter("clarion_windows_shelved", "Windows put off while MongoDB is slow or away", ["lane"])
unstored = Counter("clarion_unstored", "Urgent items sent to every mailbox before they were stored")
insert_limit = Gauge("clarion_insert_limit", "Inserts that may be in flight at once, by their own latency", ["lane"])
stage_seconds = Histogram("clarion_stage_seconds", "Time of a window in a stage", ["lane", "stage"], buckets=_STAGE_S)
stored = Counter("clarion_stored", "Notifications stored for the first time", ["lane"])
repeated = Counter("clarion_repeated", "Records whose notification was stored before", ["lane"])
emitted = Counter("clarion_emitted", "Items put into mailboxes", ["lane"])
collapsed = Counter("clarion_collapsed", "Pending notifications superseded under their collapse key", ["lane"])
deferred = Counter(
    "clarion_deferred",
    "Newest updates of a collapse key over the limit, once the flood was over: shown or not",
    ["how"],
)
throttled = Counter("clarion_throttled", "Notifications over their recipient's limit: stored, not pushed", ["lane"])
moved = Counter("clarion_moved", "Records sent on to the partition of their recipient", ["lane"])
early = Counter("clarion_early", "Records that came to a lane before they are due, sent on to be held", ["lane"])
scheduled = Counter("clarion_scheduled", "Notifications held until they are due")
released = Counter("clarion_released", "Notifications that were due and sent to their lane", ["lane"])
release_late_seconds = Histogram(
    "clarion_release_late_seconds", "From when a notification is due until it is in its lane", buckets=_DELIVERY_S
)
expired = Counter("clarion_expired", "Notifications that expired before anybody received them", ["lane"])
dead_lettered = Counter("clarion_dead_lettered", "Records sent to dead-letters", ["reason"])
writes_refused = Counter(
    "clarion_writes_refused",
    "Changes that MongoDB can never make because of what is in them: each costs its own user alone",
    ["collection"],
)
producer_renewed = Counter(
    "clarion_producer_renewed",
    "Times a producer began a new epoch after Kafka refused a batch, by its error",
    ["error"],
)
records_refused = Counter("clarion_records_refused", "Records let go because they are too large for a topic", ["topic"])
retries = Counter("clarion_retries", "Calls tried again after a failure", ["dependency"])
breaker_state = Gauge("clarion_breaker_state", "Circuit breaker: 0 closed, 1 half-open, 2 open", ["dependency"])
folded = Counter("clarion_folded", "Receipts folded into stored notifications", ["op"])
topics_made_anew = Counter(
    "clarion_topics_made_anew", "Topics found to be others than before under the same name", ["topic"]
)
read_again = Counter(
    "clarion_read_again",
    "Partitions read again because the store was behind their commits, as when restored",
    ["topic"],
)
partitions_waiting = Gauge(
    "clarion_partitions_waiting",
    "Partitions of a topic that has grown, not read until all is done that was put into the others before",
    ["topic"],
)
lag_records = Gauge("clarion_lag_records", "Records this process has still to take from its partitions", ["lane"])
open_transaction_seconds = Gauge(
    "clarion_open_transaction_seconds", "For how long a partition has waited for somebody's open transaction", ["lane"]
)
buffered_bytes = Gauge("clarion_buffered_bytes", "Bytes fetched and not yet acknowledged", ["lane"])

connections = Gauge("clarion_connections", "Open connections", ["state"])
upgrades_refused = Counter("clarion_upgrades_refused", "Sockets refused before the upgrade, by HTTP status", ["status"])
connections_refused = Counter("clarion_connections_refused", "Connections refused since file descriptors are short")
answers_reset = Counter("clarion_answers_reset", "Answers that were given up because nobody read them")
streams = Gauge("clarion_streams", "Open connections that are Server-Sent Events; they are among the connections, too")
stream_acks = Counter("clarion_stream_acks", "Acknowledgements by POST: `here`, or `forwarded`", ["how"])
rooms = Gauge("clarion_rooms", "Users with at least one connection here")
closed = Counter("clarion_closed", "Connections closed, by close code", ["code"])
delivered = FastCounter("clarion_delivered", "Notifications acknowledged by a client", ["lane"])
delivery_seconds = FastHistogram(
    "clarion_delivery_seconds", "From created to the frame written, live pushes only", "lane", _DELIVERY_S
)
pushed = FastCounter("clarion_pushed", "Items written to connections", ["lane", "how"])
overlooked = Counter("clarion_overlooked", "Items that no other way delivered, pushed by the safety net", ["lane"])
safety_net_looks = Counter(
    "clarion_safety_net_looks",
    "Looks of the safety net: `done`, or `missed`: not to their end in time",
    ["how"],
)
safety_net_asked = Counter(
    "clarion_safety_net_asked", "Users it asked about, each time: connected, and nothing of theirs was on its way"
)
repeats_dropped = Counter("clarion_repeats_dropped", "Live items at or below a connection's cursor", ["lane"])
resumes_ignored = Counter(
    "clarion_resumes_ignored",
    "Clients whose cursors did not count: of another user or deployment (foreign), or above a lane's end (beyond), as"
    " after a topic was made anew; they look back, and are told to read their inbox",
    ["reason"],
)
ahead_bytes = Gauge("clarion_ahead_bytes", "Bytes of items read from the store that wait for credit, for a second")
mailbox_epoch = Gauge("clarion_mailbox_epoch", "Epoch of the mailbox lease this gateway holds; 0 without one")
mailbox_lost = Counter("clarion_mailbox_lost", "Records of the mailbox that cannot be read; everybody reads the store")
mailboxes_cleared = Counter(
    "clarion_mailboxes_cleared", "Mailboxes of dead gateways whose sessions this one has removed, to give them back"
)
receipts_buffered = Gauge("clarion_receipts_buffered", "Receipts not yet acknowledged by Kafka")
receipts_dropped = Counter("clarion_receipts_dropped", "Receipts given up on; their items are replayed")

logs_dropped = Counter("clarion_logs_dropped", "Log records dropped because the queue was full")
dependency_up = Gauge("clarion_dependency_up", "1 while a dependency answers its probe", ["dependency"])


def count_renewal(error: str) -> None:
    """Count that a producer began a new epoch after `error`."""
    producer_renewed.labels(error).inc()
