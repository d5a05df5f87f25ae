"""Metrics of the observer: what it sees of Kafka and MongoDB from outside. Several observers export the same."""

from typing import Final

from clarion.telemetry.metrics import labels
from clarion.telemetry.metrics.declare import Subject

OBSERVER: Final = Subject(
    "Observer",
    "What Kafka and MongoDB say, whatever other process runs. Several observers export the same: take the `max` of"
    " them. A value that could not be read is missing.",
)

lag_records = OBSERVER.reading(
    "clarion_lag_records",
    "Records of the topic that the role has not committed, by the broker's offsets",
    labels.LANE_OR_ROLE,
    unit="records",
    remedy="If it grows, see whether its workers run and which stage is slow; else start more of them.",
)
lag_seconds = OBSERVER.reading(
    "clarion_lag_seconds",
    "Time for which the oldest of these records has waited, since the broker took it",
    labels.LANE_OR_ROLE,
    unit="seconds",
    remedy="Above the lane's objective, users wait: as for `clarion_lag_records`. After 7 days records are lost.",
)
pending = OBSERVER.reading(
    "clarion_pending",
    "Notifications that are stored and that no device has acknowledged",
    labels.LANE,
    unit="notifications",
    remedy="Users who are away have some. If it grows while they are connected, look at gateways and receipts.",
)
oldest_pending_seconds = OBSERVER.reading(
    "clarion_oldest_pending_seconds",
    "Time since the oldest of these was stored",
    labels.LANE,
    unit="seconds",
    remedy="What is pending for 30 days expires unseen: give it an `expires_at`, or reach its user in another way.",
)
mailboxes_free = OBSERVER.reading(
    "clarion_mailboxes_free",
    "Mailboxes that a gateway could take now",
    unit="mailboxes",
    remedy="At 0 no more gateways start: end some, or grow `deliveries` and `deliveries.urgent`.",
)
dead_letters = OBSERVER.reading(
    "clarion_dead_letters",
    "Dead letters that are kept and not replayed, at most 100,000 of each reason",
    labels.REASON,
    unit="letters",
    remedy="`clarion dlq list` shows them with their errors: have the sender mended, then replay or purge them.",
)
unaccounted = OBSERVER.reading(
    "clarion_unaccounted",
    "Records of the latest looks that are neither stored nor held nor dead, though their role has committed them",
    unit="records",
    remedy="Run `clarion audit`: it names each id that does not fit, and docs/ledger.md says what each finding means.",
)
clock_skew_seconds = OBSERVER.reading(
    "clarion_clock_skew_seconds",
    "By how much the clock of a broker or of MongoDB's primary is ahead of the observer's; below 0 it is behind",
    labels.SERVER,
    unit="seconds",
    remedy="Have all machines keep time by NTP. If all servers differ alike, the observer's clock is wrong.",
)
store_free_ratio = OBSERVER.reading(
    "clarion_store_free_ratio",
    "Part of the disk of MongoDB's primary that is free, from 0 to 1",
    unit="ratio",
    remedy="Below 0.1 make room or give it a larger disk: when it is full, MongoDB ends, and lanes wait in Kafka.",
)
looks_failed = OBSERVER.counter(
    "clarion_looks_failed",
    "Looks of the observer that failed, after which what they tell is missing",
    labels.LOOK,
    unit="looks",
    remedy="One in a while is a slow server. See `clarion_look_failing` whether the observer sees again.",
)
look_failing = OBSERVER.gauge(
    "clarion_look_failing",
    "Whether the observer's latest look has failed (1, and what it tells is missing) or not (0)",
    labels.LOOK,
    unit="yes or no",
    remedy="`/health` of the observer says which look fails and why: mostly Kafka or MongoDB does not answer.",
)
