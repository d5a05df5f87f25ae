"""Metrics of changes to what is stored, by whichever process makes them."""

from typing import Final

from clarion.telemetry.metrics import labels
from clarion.telemetry.metrics.declare import Subject

STORE: Final = Subject("Store", "Changes to stored notifications, by the stream and by gateways.")

folded = STORE.counter(
    "clarion_folded",
    "Receipts that were folded into stored notifications",
    labels.OP,
    unit="receipts",
    remedy="If `delivered` stands still while users acknowledge, look at the lag of the receipts role.",
)
writes_refused = STORE.counter(
    "clarion_writes_refused",
    "Changes that MongoDB refused for good because of their content; other changes are made",
    labels.COLLECTION,
    unit="changes",
    remedy="The log names the document and MongoDB's reason: report it, since no content should be refused.",
)
