"""Metrics of limits, of whichever process keeps them."""

from typing import Final

from clarion.telemetry.metrics import labels
from clarion.telemetry.metrics.declare import Subject

LIMITS: Final = Subject("Limits", "What a limit has refused or held back: at ingest, in the lanes and at gateways.")

rate_limited = LIMITS.counter(
    "clarion_rate_limited",
    "Requests, sockets, connections or frames that a limit has refused, and notifications that one has held back",
    labels.LIMIT,
    unit="refusals",
    remedy="Find who goes beyond it. If it is wanted, raise the limit: most are settings, and contracts.md has all.",
)
