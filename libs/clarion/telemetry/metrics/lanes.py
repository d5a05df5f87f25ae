"""Metrics of the lanes: from the window to the mailbox."""

from typing import Final

from clarion.telemetry.metrics import buckets, labels
from clarion.telemetry.metrics.declare import Subject

LANES: Final = Subject("Lanes", "What a lane does with notifications, from the window to the mailbox.")

stage_seconds = LANES.histogram(
    "clarion_stage_seconds",
    "Time that a window spends in a stage",
    labels.LANE,
    labels.STAGE,
    unit="seconds",
    remedy="A slow `store` or `route` is MongoDB, a slow `emit` Kafka, a slow `decode` this process's CPU.",
    buckets=buckets.STAGE_S,
)
stored = LANES.counter(
    "clarion_stored",
    "Notifications stored for the first time",
    labels.LANE,
    unit="notifications",
    remedy="If it falls behind `clarion_accepted_total`, the lane has a lag: see its stages.",
)
repeated = LANES.counter(
    "clarion_repeated",
    "Records whose notification was stored before already",
    labels.LANE,
    unit="records",
    remedy="Harmless. Many at once are a worker's crash; many all the time, a sender that repeats.",
)
emitted = LANES.counter(
    "clarion_emitted",
    "Items put into mailboxes",
    labels.LANE,
    unit="items",
    remedy="It counts only users who are connected. If it is 0 while users are, look at the gateways' mailboxes.",
)
unstored = LANES.counter(
    "clarion_unstored",
    "Urgent items sent to every mailbox before they were stored",
    unit="items",
    remedy="MongoDB takes longer than 250 ms or is away: look at it. Nothing is lost meanwhile.",
)
insert_limit = LANES.gauge(
    "clarion_insert_limit",
    "Bulk inserts that may be in flight at once, as their latency allows",
    labels.LANE,
    unit="inserts",
    remedy="If it stays at 1, MongoDB is at its limit: give it faster disks, or spread the load.",
)
collapsed = LANES.counter(
    "clarion_collapsed",
    "Pending notifications that were replaced under their collapse key",
    labels.LANE,
    unit="notifications",
    remedy="None is needed: it is what senders ask for with a collapse key.",
)
throttled = LANES.counter(
    "clarion_throttled",
    "Notifications above their recipient's limit, which are stored and not pushed",
    labels.LANE,
    unit="notifications",
    remedy="Find the sender that floods a recipient, and give it a collapse key.",
)
moved = LANES.counter(
    "clarion_moved",
    "Records that were sent on to their recipient's partition",
    labels.LANE,
    unit="records",
    remedy="A producer uses another partitioner than murmur2 of the recipient, or the topic has just grown.",
)
early = LANES.counter(
    "clarion_early",
    "Records that came to a lane before they were due, and were sent on to be held",
    labels.LANE,
    unit="records",
    remedy="Have the producer send what has a `deliver_at` to `notifications.scheduled`.",
)
expired = LANES.counter(
    "clarion_expired",
    "Notifications that expired before anybody received them",
    labels.LANE,
    unit="notifications",
    remedy="The lane has a lag that is longer than they live, or their senders set `expires_at` too early.",
)
