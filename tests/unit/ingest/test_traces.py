"""A request's records carry its trace: the sender's, or one that begins with its first notification."""

from collections.abc import Sequence

import pytest

from clarion.contracts import trace
from clarion.contracts.trace import Trace
from clarion.telemetry.otel.spans import Span, recorded_by
from services.ingest.traces import Traces
from tests.unit.ingest.fake_ingest import BATCH, GOOD, MINE, ONE, Broker, client

GIVEN = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)
MANY = GOOD | {"recipients": ["ann", "bob"]}
MANY.pop("recipient")


def found(headers: Sequence[tuple[str, bytes]]) -> Trace:
    own = trace.of(headers)
    assert own is not None
    return own


async def test_a_sampled_request_without_a_trace_begins_one_by_its_id() -> None:
    broker = Broker()
    with recorded_by(list[Span]().append):
        async with client(broker, traces=Traces(1, 100)) as c:
            one = (await c.post(ONE, json=GOOD)).json()["id"]
            many = (await c.post(ONE, json=MANY)).json()["ids"]
            damaged = (await c.post(ONE, json=GOOD, headers={"traceparent": "00-nonsense"})).json()["id"]
    begun = [found(headers) for headers in broker.headers]
    assert [own.trace_id for own in begun] == [id_.replace("-", "") for id_ in (one, many[0], damaged)]
    assert all(own.sampled for own in begun)


async def test_a_record_names_no_trace_that_its_id_tells() -> None:
    broker = Broker()
    async with client(broker) as c:
        await c.post(ONE, json=GOOD)
        await c.post(ONE, json=MANY)
        await c.post(ONE, json=GOOD, headers={"traceparent": "00-nonsense", "tracestate": "rojo=1"})
    assert list(broker.headers) == [[]] * 3


async def test_a_sender_s_trace_goes_on_as_it_came_with_its_state() -> None:
    broker = Broker()
    for state in ("rojo=1,congo=2", "x" * 513):
        async with client(broker, traces=Traces(0, 100)) as c:
            await c.post(ONE, json=GOOD, headers={"traceparent": str(GIVEN), "tracestate": state})
    with_state, without = broker.headers
    assert with_state == [trace.header(GIVEN), ("tracestate", b"rojo=1,congo=2")]
    assert without == [trace.header(GIVEN)]


async def test_a_batch_has_one_trace_and_a_retraction_its_request_s() -> None:
    broker = Broker()
    async with client(broker, traces=Traces(0, 100)) as c:
        lines = b"\n".join([b'{"type":"a","message":"x","recipient":"bob"}'] * 3)
        headers = {"Content-Type": "application/x-ndjson", "traceparent": str(GIVEN)}
        assert (await c.post(BATCH, content=lines, headers=headers)).status_code == 200
        await c.delete(f"{ONE}/{MINE.id}", headers={"traceparent": str(GIVEN)})
    assert [found(headers) for headers in broker.headers] == [GIVEN]
    (told,) = broker.told
    assert told.traceparent == str(GIVEN._replace(sampled=False))


async def test_senders_cannot_have_everything_sampled() -> None:
    broker = Broker()
    async with client(broker, traces=Traces(1, 1)) as c:
        for _ in range(103):
            await c.post(ONE, json=GOOD, headers={"traceparent": str(GIVEN)})
        await c.post(ONE, json=MANY, headers={"traceparent": str(GIVEN)})
    sampled = [found(headers).sampled for headers in broker.headers]
    assert sampled[:100] == [True] * 100
    assert sampled[102:] == [False, False]


@pytest.mark.parametrize("outcome", [True, False])
async def test_a_sampled_request_is_a_span_that_the_lanes_come_below(outcome: bool) -> None:
    broker, recorded = Broker(outcome), list[Span]()
    with recorded_by(recorded.append):
        async with client(broker, traces=Traces(1, 100)) as c:
            await c.post(ONE, json=MANY, headers={"traceparent": str(GIVEN)})
            await c.post(ONE, json=GOOD)
            await c.post(ONE, json=GOOD, headers={"traceparent": str(GIVEN._replace(sampled=False))})
    given, begun = recorded
    assert (given.parent, given.own.trace_id) == (GIVEN, GIVEN.trace_id)
    assert given.attributes["messaging.batch.message_count"] == 2
    assert begun.parent is None
    assert [found(headers) for headers in broker.headers[:2]] == [given.own, begun.own]
    assert bool(given.error) is not outcome
    assert given.ended_ns > given.began_ns > 0
