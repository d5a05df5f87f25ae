"""Which trace a notification belongs to: W3C trace context, as a header of HTTP and of records on Kafka. Pure.

See https://www.w3.org/TR/trace-context/. A trace is told to everybody who handles a notification, whether or not
anybody records spans: lines of logs name it. What is sampled is few, and only that is told of beyond the lanes.
"""

import random
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
STATE_CHARS: Final = 512  # of `tracestate`; a longer one is left out, as the standard allows

_LENGTH: Final = 55  # of `traceparent` in the version 00
_MOST: Final = 256  # of a later version, which may append to it
_FORMAT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LAST: Final = 54  # where the last digit of the flags is
_ODD: Final = frozenset(b"13579bdf")  # digits that say `sampled`
_SAMPLED: Final = 1

Headers = Iterable[tuple[str, bytes | None]]


class Trace(NamedTuple):
    """A place in a trace: `span_id` is the span that caused what comes next. Both ids are in hexadecimal digits.

    `sampled` says that somebody records spans of this trace.
    """

    trace_id: str
    span_id: str
    sampled: bool

    def __str__(self) -> str:
        """Return it as the header `traceparent` has it."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def parse(text: str) -> Trace | None:
    """Return what a header says; None for what is no `traceparent`, as the standard has it: then a trace begins."""
    found = _FORMAT.fullmatch(text) if _LENGTH <= len(text) <= _MOST else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more is not None) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Trace(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def of(headers: Headers) -> Trace | None:
    """Return the trace that a record's headers name, if they name one."""
    for name, value in headers:
        if name == TRACEPARENT:
            return parse((value or b"").decode("latin-1"))
    return None


def sampled(headers: Headers) -> Trace | None:
    """Return the trace of a record that is sampled, else None.

    For what is not sampled it takes a tenth of a microsecond.
    """
    for name, value in headers:
        if name == TRACEPARENT:
            if value is None or len(value) < _LENGTH or value[_LAST] not in _ODD:
                return None
            found = parse(value.decode("latin-1"))
            return found if found is not None and found.sampled else None
    return None


def is_unsampled(headers: Sequence[tuple[str, bytes | None]]) -> bool:
    """Return whether headers are one `traceparent` that is not sampled, as those of most records are.

    A lane asks this of each record, and asks nothing more of those.
    """
    if len(headers) != 1:
        return False
    name, value = headers[0]
    return name == TRACEPARENT and value is not None and len(value) == _LENGTH and value[_LAST] not in _ODD


def header(trace: Trace) -> tuple[str, bytes]:
    """Return the header of a record."""
    return TRACEPARENT, str(trace).encode()


def begun_by(id_: str, *, sampled: bool) -> Trace:
    """Return the trace that begins with the notification `id_`: its trace id is the id without hyphens."""
    return Trace(id_.replace("-", ""), new_span_id(), sampled)


def new_trace_id() -> str:
    """Return the id of a new trace."""
    return f"{random.getrandbits(127) + 1:032x}"


def new_span_id() -> str:
    """Return the id of a new span. It is never zero, which the standard forbids."""
    return f"{random.getrandbits(63) + 1:016x}"
