"""Metrics of the scheduler role."""

from typing import Final

from clarion.telemetry.metrics import buckets, labels
from clarion.telemetry.metrics.declare import Subject

SCHEDULER: Final = Subject("Scheduler", "What is held until it is due, and what a limit held back.")

scheduled = SCHEDULER.counter(
    "clarion_scheduled",
    "Notifications held until they are due",
    unit="notifications",
    remedy="None is needed: it is what senders ask for with `deliver_at`.",
)
released = SCHEDULER.counter(
    "clarion_released",
    "Notifications that were due and sent to their lane",
    labels.LANE,
    unit="notifications",
    remedy="If it stands still while some are due, look at `clarion_release_late_seconds` and at `/health`.",
)
release_late_seconds = SCHEDULER.histogram(
    "clarion_release_late_seconds",
    "Time from when a notification is due until it is in its lane",
    unit="seconds",
    remedy="Seconds are a restart. If it grows, more is due at once than one scheduler sends: start more of them.",
    buckets=buckets.DELIVERY_S,
)
deferred = SCHEDULER.counter(
    "clarion_deferred",
    "Newest notifications of a collapse key above the limit, after the flood: `shown`, or `held back`",
    labels.DEFERRED_HOW,
    unit="notifications",
    remedy="Many that are held back are a recipient with a flood under many keys: find its sender.",
)
