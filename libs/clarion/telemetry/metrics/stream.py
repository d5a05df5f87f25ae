"""Metrics of every role of the stream that reads a topic: its windows, and how far it is."""

from typing import Final

from clarion.telemetry.metrics import buckets, labels
from clarion.telemetry.metrics.declare import Subject

STREAM: Final = Subject("Stream", "Every role that reads a topic: lanes, receipts and scheduler.")

window_items = STREAM.histogram(
    "clarion_window_items",
    "Records in a window",
    labels.LANE_OR_ROLE,
    unit="items",
    remedy="Windows that are always full are a backlog: look at the lag and at the slowest stage.",
    buckets=buckets.COUNT,
)
windows_in_flight = STREAM.gauge(
    "clarion_windows_in_flight",
    "Windows that are worked on",
    labels.LANE_OR_ROLE,
    unit="windows",
    remedy="If it stays at CLARION_WINDOWS_IN_FLIGHT, see which stage is slow: MongoDB, Kafka, or this process's CPU.",
)
window_age_seconds = STREAM.gauge(
    "clarion_window_age_seconds",
    "Time for which the oldest window has been worked on; 0 while there is none",
    labels.LANE_OR_ROLE,
    unit="seconds",
    remedy="Above a few seconds a server does not answer, or the work hangs: see `/health`, and which stage is slow.",
)
windows_lost = STREAM.counter(
    "clarion_windows_lost",
    "Windows dropped because their partitions were given up",
    labels.LANE_OR_ROLE,
    unit="windows",
    remedy="They are read again. If they keep coming, workers join and leave the group: look for restarts.",
)
windows_shelved = STREAM.counter(
    "clarion_windows_shelved",
    "Windows put off while MongoDB is slow or away",
    labels.LANE_OR_ROLE,
    unit="windows",
    remedy="Look at MongoDB: its load, its disk and its primary. The windows are stored once it answers.",
)
buffered_bytes = STREAM.gauge(
    "clarion_buffered_bytes",
    "Bytes that are fetched and not acknowledged yet",
    labels.LANE_OR_ROLE,
    unit="bytes",
    remedy="Near 16 MiB nothing is fetched: the work is slower than what comes, see the stages.",
)
worker_lag_records = STREAM.gauge(
    "clarion_worker_lag_records",
    "Records that this process has still to take from its partitions",
    labels.LANE_OR_ROLE,
    unit="records",
    remedy="The observer's `clarion_lag_records` decides, which counts what no process reads, too.",
)
open_transaction_seconds = STREAM.gauge(
    "clarion_open_transaction_seconds",
    "Time for which a partition has waited for an open transaction",
    labels.LANE_OR_ROLE,
    unit="seconds",
    remedy="End the producer's transaction; else the broker does after its `transaction.timeout.ms`.",
)
partitions_waiting = STREAM.gauge(
    "clarion_partitions_waiting",
    "New partitions of a topic that has grown, which are not read until older records are done",
    labels.TOPIC,
    unit="partitions",
    remedy="They wait for some 15 s, or as long as the backlog of the old partitions takes: see the lag.",
)
topics_made_anew = STREAM.counter(
    "clarion_topics_made_anew",
    "Topics that were deleted and created again under the same name",
    labels.TOPIC,
    unit="topics",
    remedy="If nobody did it on purpose, find out who may delete topics: what was in it is lost.",
)
read_again = STREAM.counter(
    "clarion_read_again",
    "Partitions that were read again because the store was behind their commits, as after a restore",
    labels.TOPIC,
    unit="partitions",
    remedy="Expected once after MongoDB was restored or emptied. Otherwise look for what took MongoDB back.",
)
dead_lettered = STREAM.counter(
    "clarion_dead_lettered",
    "Records that were sent to the topic dead-letters",
    labels.REASON,
    unit="records",
    remedy="Read the letters with their reasons, have the sender mended, and play them again.",
)
records_refused = STREAM.counter(
    "clarion_records_refused",
    "Records that were given up because they are too large for a topic",
    labels.TOPIC,
    unit="records",
    remedy="Raise the topic's `max.message.bytes` to what `clarion topics check` names.",
)
