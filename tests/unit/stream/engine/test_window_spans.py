"""A window is one span, with its stages below it, if some of its records are sampled."""

import pytest

from clarion.contracts import trace
from clarion.contracts.trace import Trace
from clarion.telemetry.otel.spans import LINKS, Span, recorded_by
from services.stream.engine import window_spans
from services.stream.engine.stage_order import OwnershipLost, Ticket, WindowShelved
from services.stream.engine.windows import Window, WindowPolicy
from tests.unit.records import TOPIC, batch

TRACES = [Trace(trace.new_trace_id(), trace.new_span_id(), True) for _ in range(2)]
UNSAMPLED = TRACES[0]._replace(sampled=False)


def window(*owns: Trace) -> Window:
    made = Window(WindowPolicy(10, 1.0), 0.0)
    for number, own in enumerate(owns):
        made.add(batch([b"x"], number, headers=[trace.header(own)]), 0.0)
    return made


async def work(_: Window, __: Ticket) -> None:
    window_spans.stage("store", 0.5)
    window_spans.stage("emit", 0.25)


async def spans_of(made: Window, do: window_spans.Work = work) -> list[Span]:
    recorded: list[Span] = []
    with recorded_by(recorded.append):
        await window_spans.traced("low", do)(made, Ticket())
    return recorded


async def test_records_of_one_trace_have_their_window_in_it() -> None:
    found, store, emit = await spans_of(window(UNSAMPLED, TRACES[0], TRACES[0]))
    assert (found.own.trace_id, found.parent, found.links) == (TRACES[0].trace_id, TRACES[0], [TRACES[0]] * 2)
    assert [(span.name, span.parent) for span in (store, emit)] == [("store", found.own), ("emit", found.own)]
    assert (store.ended_ns - store.began_ns, emit.ended_ns - emit.began_ns) == (500_000_000, 250_000_000)
    assert (found.attributes["messaging.batch.message_count"], found.attributes["clarion.outcome"]) == (3, "done")
    assert found.attributes["messaging.destination.name"] == TOPIC


async def test_records_of_several_traces_are_links_of_their_window() -> None:
    found, *_ = await spans_of(window(*TRACES))
    assert found.parent is None
    assert found.own.trace_id not in {own.trace_id for own in TRACES}
    assert found.links == TRACES
    found, *_ = await spans_of(window(*TRACES * LINKS))
    assert len(found.links) == LINKS


async def test_a_window_of_which_nothing_is_sampled_is_no_span() -> None:
    assert await spans_of(window(UNSAMPLED, UNSAMPLED)) == []


async def test_without_somebody_to_take_spans_the_work_is_itself() -> None:
    assert window_spans.traced("low", work) is work
    await work(window(TRACES[0]), Ticket())


@pytest.mark.parametrize(
    ("failure", "outcome", "is_error"),
    [
        (WindowShelved("later"), "shelved", False),
        (OwnershipLost("gone"), "lost", False),
        (ValueError("x"), "ValueError", True),
    ],
)
async def test_a_span_tells_how_its_window_ended(failure: Exception, outcome: str, is_error: bool) -> None:
    async def fail(_: Window, __: Ticket) -> None:
        raise failure

    recorded: list[Span] = []
    with recorded_by(recorded.append):
        do = window_spans.traced("low", fail)
        with pytest.raises(type(failure)):
            await do(window(TRACES[0]), Ticket())
    (found,) = recorded
    assert (found.attributes["clarion.outcome"], bool(found.error)) == (outcome, is_error)


async def test_a_window_has_a_bounded_number_of_stages() -> None:
    async def often(_: Window, __: Ticket) -> None:
        for _n in range(1_000):
            window_spans.stage("live", 0.0)

    assert len(await spans_of(window(TRACES[0]), often)) == window_spans.STAGES + 1
