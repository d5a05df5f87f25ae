"""The traces of a window's sampled notifications, which travel on to gateways. Pure.

All others' traces end at the lane: 70 bytes with each delivery would be a tenth of it, and the id says as much in a
log. Nothing is stored of a trace, since who looks at one does so while it is young.
"""

from collections.abc import Iterable, Mapping

from clarion.contracts import trace
from clarion.contracts.records.deliveries import Items, Unstored
from clarion.telemetry.otel.spans import LINKS
from services.stream.steps.decode import Entry


def sampled(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the traces, by id, of the entries that are sampled, at most LINKS: a producer may flag everything."""
    found: dict[str, str] = {}
    for entry in entries:
        if entry.headers and (own := trace.sampled(entry.headers)):
            found[entry.id] = str(own)
            if len(found) == LINKS:
                break
    return found


def give(traces: Mapping[str, str], records: Iterable[Items | Unstored]) -> None:
    """Put the traces into the delivery records of their notifications."""
    if not traces:
        return
    for record in records:
        own = {item.id: traces[item.id] for item in record.items if item.id in traces}
        record.traces = own or None


def named(traces: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the fields of a log line that concerns these notifications."""
    return {"ids": list(traces), "trace_ids": [text.split("-")[1] for text in traces.values()]}
