"""What is sampled of the deliveries: their spans, and the traces that their receipts carry on."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from clarion.contracts import trace
from clarion.contracts.records.deliveries import Addressed, Early
from clarion.contracts.records.receipts import Op
from clarion.contracts.trace import Trace
from clarion.telemetry import metrics
from clarion.telemetry.otel import spans
from clarion.telemetry.otel.spans import Span
from services.gateway.client.connection import Connection
from services.gateway.client.credit import OutgoingItem
from services.gateway.delivery.rooms import Rooms
from services.gateway.receipts.sender import ReceiptSender

log = structlog.get_logger()

MOST: Final = 1_000  # deliveries that wait for an acknowledgement; those beyond make the oldest ones count as untraced


class _Pushed(NamedTuple):
    own: Trace
    at_ns: int


class SampledDeliveries:
    """Remembers the traces of sampled notifications from their delivery until a device acknowledges them."""

    def __init__(self) -> None:
        self.waiting: Final[dict[str, _Pushed]] = {}  # by id; looked at with each acknowledgement

    def delivered(
        self, items: Iterable[Addressed | Early], traces: Mapping[str, str], rooms: Rooms, began_ns: int
    ) -> None:
        """Note that a record was delivered, of whose `items` those in `traces` are sampled. It came at `began_ns`."""
        now_ns = time.time_ns()
        for item in items:
            parent = trace.parse(traces.get(item.id, ""))
            connections = len(rooms.of(item.recipient))
            if parent is None or not connections:
                continue
            own = parent
            if (record := spans.recorder()) is not None:
                own = spans.child_of(parent)
                attributes = _about(item.id) | {"clarion.lane": str(item.lane), "clarion.connections": connections}
                record(Span("deliver", own, parent, began_ns, now_ns, "consumer", attributes=attributes))
            self.waiting[item.id] = _Pushed(own, now_ns)
            log.debug("a sampled notification was delivered", id=item.id, trace_id=own.trace_id)
            if len(self.waiting) > MOST:
                del self.waiting[next(iter(self.waiting))]

    def acknowledge(
        self, connection: Connection, handled: Sequence[OutgoingItem], receipt_sender: ReceiptSender
    ) -> Sequence[OutgoingItem]:
        """Count the sampled ones of the `handled` items, and send a receipt of each; return the others."""
        others: list[OutgoingItem] = []
        for item in handled:
            pushed = self.waiting.pop(item.id, None)
            if pushed is None:
                others.append(item)
                continue
            metrics.delivered.of(item.lane).n += 1
            own = _awaited(item.id, pushed)
            receipt = connection.receipt(Op.DELIVERED, [item.id], unstored=not item.stored, traceparent=str(own))
            receipt_sender.put(receipt)
            log.debug("a sampled notification was acknowledged", id=item.id, trace_id=own.trace_id)
        return others


def _awaited(id_: str, pushed: _Pushed) -> Trace:
    """Record the span from the delivery to its acknowledgement; return its place, or the delivery's without spans."""
    record = spans.recorder()
    if record is None:
        return pushed.own
    own = spans.child_of(pushed.own)
    record(Span("await acknowledgement", own, pushed.own, pushed.at_ns, time.time_ns(), attributes=_about(id_)))
    return own


def _about(id_: str) -> dict[str, str | int | float | bool]:
    return {"messaging.system": "kafka", "messaging.message.id": id_}
