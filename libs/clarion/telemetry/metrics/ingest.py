"""Metrics of ingest."""

from typing import Final

from clarion.telemetry.metrics import labels
from clarion.telemetry.metrics.declare import Subject

INGEST: Final = Subject("Ingest", "What was accepted over HTTP.")

accepted = INGEST.counter(
    "clarion_accepted",
    "Notifications that Kafka has acknowledged to ingest",
    labels.LANE,
    unit="notifications",
    remedy="If it stands still while senders publish, look at `clarion_refused_total` and at `/health` of ingest.",
)
answered = INGEST.counter(
    "clarion_answered",
    "Answers of ingest to publishing requests, by HTTP status; each line of a batch counts as a request",
    labels.ANSWER,
    unit="answers",
    remedy="Those with 5xx are what ingest is unavailable by: see `/health` of ingest, and whether Kafka answers.",
)
retracted = INGEST.counter(
    "clarion_retracted",
    "Notifications that their sender took back, as acknowledged by Kafka",
    unit="notifications",
    remedy="None is needed: ask a sender that takes back much of what it publishes.",
)
retracted_unfound = INGEST.counter(
    "clarion_retracted_unfound",
    "Retracted notifications that were not stored then: each may leave a stub for 8 days, and a sender one a second",
    unit="notifications",
    remedy="Ask its sender to take back only ids that it has published, or look for a lane with a lag.",
)
remembered_keys = INGEST.gauge(
    "clarion_remembered_keys",
    "Idempotency keys whose content this process remembers",
    unit="keys",
    remedy="None is needed: beyond 100,000 the oldest are forgotten.",
)
