"""The objectives that Clarion is run by: how soon notifications are with their users, and how often ingest accepts."""

from collections.abc import Mapping
from typing import Final

from clarion.contracts.lanes import Lane

# From when a notification could be had first (`available_at`) until the frame is written. Each is a bound of a bucket
# of `clarion_delivery_seconds`, so that what is late can be counted exactly.
DELIVERED_WITHIN_S: Final[Mapping[Lane, float]] = {Lane.URGENT: 0.25, Lane.HIGH: 0.5, Lane.NORMAL: 1.0, Lane.LOW: 5.0}
ON_TIME: Final = 0.99  # the share of live deliveries within that time
ACCEPTING: Final = 0.999  # the share of publishing requests that ingest does not answer with 5xx
OBJECTIVE_DAYS: Final = 30  # what both shares are measured over
