"""W3C trace context: what its standard takes for a trace, and what not."""

import pytest

from clarion.contracts import trace
from clarion.contracts.ids import new_id
from clarion.contracts.trace import TRACEPARENT, Trace

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = Trace(TRACE_ID, SPAN_ID, True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"00-{TRACE_ID}-{SPAN_ID}-01", SAMPLED),
        (f"00-{TRACE_ID}-{SPAN_ID}-00", SAMPLED._replace(sampled=False)),
        (f"00-{TRACE_ID}-{SPAN_ID}-03", SAMPLED),
        (f"00-{TRACE_ID}-{SPAN_ID}-02", SAMPLED._replace(sampled=False)),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01", SAMPLED),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01-what-the-future-brings", SAMPLED),
        (f"00-{TRACE_ID}-{SPAN_ID}-01-extra", None),
        (f"ff-{TRACE_ID}-{SPAN_ID}-01", None),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01.extra", None),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01-{'x' * 300}", None),
        (f"00-{'0' * 32}-{SPAN_ID}-01", None),
        (f"00-{TRACE_ID}-{'0' * 16}-01", None),
        (f"00-{TRACE_ID.upper()}-{SPAN_ID}-01", None),
        (f"00-{TRACE_ID}-{SPAN_ID}-1", None),
        (f"00-{TRACE_ID}-{SPAN_ID}-01\n", None),
        (f" 00-{TRACE_ID}-{SPAN_ID}-01", None),
        ("", None),
        ("é" * 55, None),
    ],
)
def test_what_is_a_traceparent_is_as_the_standard_has_it(text: str, found: Trace | None) -> None:
    assert trace.parse(text) == found
    headers = [("other", b"x"), (TRACEPARENT, text.encode()), (TRACEPARENT, b"second")]
    assert trace.of(headers) == found
    is_sampled = found is not None and found.sampled
    assert trace.sampled(headers) == (found if is_sampled else None)


@pytest.mark.parametrize("value", [None, b"", b"\xff" * 55, b"1" * 10_000])
def test_no_header_breaks_a_lane(value: bytes | None) -> None:
    assert trace.of([(TRACEPARENT, value)]) is trace.sampled([(TRACEPARENT, value)]) is None


@pytest.mark.parametrize(
    ("headers", "is_all"),
    [
        ([(TRACEPARENT, f"00-{TRACE_ID}-{SPAN_ID}-00".encode())], True),
        ([(TRACEPARENT, f"00-{TRACE_ID}-{SPAN_ID}-02".encode())], True),
        ([(TRACEPARENT, f"00-{TRACE_ID}-{SPAN_ID}-01".encode())], False),
        ([(TRACEPARENT, f"00-{TRACE_ID}-{SPAN_ID}-0b".encode())], False),
        ([(TRACEPARENT, f"00-{TRACE_ID}-{SPAN_ID}-00".encode()), ("clarion-released", b"")], False),
        ([("x" * 11, f"00-{TRACE_ID}-{SPAN_ID}-00".encode())], False),
        ([(TRACEPARENT, b"0" * 5_000)], False),
        ([(TRACEPARENT, b"")], False),
        ([(TRACEPARENT, None)], False),
        ([], False),
    ],
)
def test_headers_that_ask_for_nothing_are_known(headers: list[tuple[str, bytes | None]], is_all: bool) -> None:
    assert trace.is_unsampled(headers) is is_all


def test_a_trace_that_begins_here_is_found_by_the_id() -> None:
    id_ = new_id()
    begun = trace.begun_by(id_, sampled=False)
    assert begun.trace_id == id_.replace("-", "")
    assert trace.parse(str(begun)) == begun
    assert trace.of([trace.header(begun)]) == begun


def test_new_ids_are_such_as_the_standard_takes() -> None:
    for _ in range(1_000):
        begun = Trace(trace.new_trace_id(), trace.new_span_id(), True)
        assert trace.parse(str(begun)) == begun
