"""A sampled delivery is a span, and the receipt of what acknowledges it carries the trace on."""

from typing import Any

from msgspec import Raw

from clarion.contracts import trace
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records.deliveries import Addressed
from clarion.contracts.records.receipts import Receipt
from clarion.telemetry import metrics
from clarion.telemetry.otel.spans import Span, recorded_by
from services.gateway.client.credit import OutgoingItem
from services.gateway.delivery import sampled
from services.gateway.delivery.rooms import Rooms
from services.gateway.delivery.sampled import SampledDeliveries
from tests.unit.gateway.devices import device


def addressed(id_: str, user: str = "ann") -> Addressed:
    return Addressed(user, Lane.LOW, (0, 1), id_, Raw(b"{}"))


def outgoing(id_: str) -> OutgoingItem:
    return OutgoingItem(id_, Lane.LOW, 1, b"{}")


def rooms() -> Rooms:
    made = Rooms(3)
    made.join(device()[0])
    return made


class Sent:
    """Stands for `ReceiptSender`: keeps the receipts that it is given."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    def put(self, receipt: Receipt) -> bool:
        self.receipts.append(receipt)
        return True


def acknowledge(deliveries: SampledDeliveries, *ids: str) -> tuple[list[Receipt], list[str]]:
    """The receipts that were sent, and the ids of the others."""
    sent: Any = Sent()
    others = deliveries.acknowledge(device()[0], [outgoing(id_) for id_ in ids], sent)
    return sent.receipts, [item.id for item in others]


def test_delivery_and_acknowledgement_are_spans_of_the_trace() -> None:
    deliveries, recorded = SampledDeliveries(), list[Span]()
    id_, other, counted = new_id(), new_id(), metrics.delivered.of(Lane.LOW).n
    own = trace.begun_by(id_, sampled=True)
    with recorded_by(recorded.append):
        deliveries.delivered([addressed(id_), addressed(other)], {id_: str(own)}, rooms(), 1)
        (receipt,), others = acknowledge(deliveries, other, id_)
    deliver, awaited = recorded
    assert (deliver.parent, deliver.began_ns, deliver.attributes["clarion.connections"]) == (own, 1, 1)
    assert (awaited.parent, awaited.began_ns) == (deliver.own, deliver.ended_ns)
    assert (receipt.ids, receipt.traceparent, others) == ([id_], str(awaited.own), [other])
    assert {deliver.own.trace_id, awaited.own.trace_id} == {own.trace_id}
    assert (len(deliveries.waiting), metrics.delivered.of(Lane.LOW).n - counted) == (0, 1)


def test_without_spans_the_trace_is_carried_on_all_the_same() -> None:
    deliveries, id_ = SampledDeliveries(), new_id()
    own = trace.begun_by(id_, sampled=True)
    deliveries.delivered([addressed(id_)], {id_: str(own)}, rooms(), 1)
    (receipt,), _ = acknowledge(deliveries, id_)
    assert receipt.traceparent == str(own)
    assert acknowledge(deliveries, id_) == ([], [id_])  # another device's acknowledgement


def test_what_reaches_nobody_or_has_no_trace_is_not_remembered() -> None:
    deliveries, id_ = SampledDeliveries(), new_id()
    deliveries.delivered([addressed(id_, "bob")], {id_: str(trace.begun_by(id_, sampled=True))}, rooms(), 1)
    deliveries.delivered([addressed(id_)], {id_: "nonsense"}, rooms(), 1)
    assert len(deliveries.waiting) == 0


def test_what_nobody_acknowledges_is_forgotten() -> None:
    deliveries, ids = SampledDeliveries(), [new_id() for _ in range(sampled.MOST + 5)]
    traces = {id_: str(trace.begun_by(id_, sampled=True)) for id_ in ids}
    deliveries.delivered([addressed(id_) for id_ in ids], traces, rooms(), 1)
    assert len(deliveries.waiting) == sampled.MOST
    sent, others = acknowledge(deliveries, ids[0], ids[-1])
    assert ([receipt.ids for receipt in sent], others) == ([[ids[-1]]], [ids[0]])
