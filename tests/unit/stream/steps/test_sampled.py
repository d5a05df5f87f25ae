"""What is sampled takes its trace with it to the gateways, and nothing else does."""

from datetime import UTC, datetime
from typing import cast

import msgspec
from msgspec import Raw

from clarion.contracts import trace
from clarion.contracts.ids import new_id
from clarion.contracts.lanes import Lane
from clarion.contracts.records import deliveries
from clarion.contracts.records.deliveries import Addressed, Items
from clarion.contracts.trace import Trace
from clarion.telemetry.otel.spans import LINKS
from services.stream.steps.decode import Entry, decode_window
from services.stream.steps.sampled import give, sampled
from tests.unit.records import batch

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SAMPLED = trace.begun_by(new_id(), sampled=True)


def entries(count: int, own: Trace | None) -> list[Entry]:
    values = [
        msgspec.json.encode({"id": new_id(), "type": "a", "message": "m", "recipient": "ann", "sender": "s"})
        for _ in range(count)
    ]
    headers = [trace.header(own)] if own else []
    decoded = decode_window([batch(values, headers=headers)], Lane.LOW, 0, 1, NOW)
    return list(decoded.entries.values())


def record(ids: list[str]) -> Items:
    return Items([Addressed("ann", Lane.LOW, (0, 1), id_, Raw(b'{"x":1}')) for id_ in ids])


def test_the_trace_of_what_is_sampled_is_in_its_delivery() -> None:
    (one,), (other,) = entries(1, SAMPLED), entries(1, SAMPLED._replace(sampled=False))
    traces = sampled([one, other])
    assert traces == {one.id: str(SAMPLED)}
    together, without = record([one.id, other.id]), record([other.id])
    give(traces, [together, without])
    read = cast("Items", deliveries.decode(deliveries.encode(together)))
    assert read.traces == traces
    assert without.traces is None
    assert b"traces" not in deliveries.encode(without)


def test_a_producer_that_flags_everything_costs_a_bound() -> None:
    assert len(sampled(entries(10 * LINKS, SAMPLED))) == LINKS


def test_without_a_trace_a_delivery_has_no_byte_more() -> None:
    assert sampled(entries(3, None)) == {}
    assert deliveries.encode(record([new_id()])).endswith(b'"body":{"x":1}}],"v":1}')
