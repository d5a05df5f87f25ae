"""Spans of windows: one for each window that has sampled records, with links to these, and one for each of its stages.

A window has up to thousands of notifications, so each notification's own span would cost more than its work.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from clarion.contracts import trace
from clarion.contracts.trace import Trace
from clarion.telemetry.otel import spans
from clarion.telemetry.otel.spans import LINKS, Recorder, Span
from services.stream.engine.pipeline import Work
from services.stream.engine.stage_order import OwnershipLost, Ticket, WindowShelved
from services.stream.engine.windows import Window

STAGES: Final = 16  # spans of stages that a window has at most; urgent may go live several times


@dataclass(slots=True)
class _Traced:
    """A window that is traced: its place, and its stages so far."""

    own: Trace
    stages: list[Span] = field(default_factory=list[Span])


_current: Final[ContextVar[_Traced | None]] = ContextVar("traced window", default=None)


def traced(role: str, work: Work) -> Work:
    """Return `work`, which also records the spans of windows; `work` itself while nobody takes spans."""
    record = spans.recorder()
    if record is None:
        return work

    async def do(window: Window, ticket: Ticket) -> None:
        links = list(islice(_sampled(window), LINKS))
        if not links:
            return await work(window, ticket)
        own, parent = spans.of_many(links)
        with _recorded(record, role, window, links, own, parent):
            return await work(window, ticket)

    return do


def stage(name: str, took_s: float) -> None:
    """Note that the window on which this task works has just passed a stage, if the window is traced."""
    window = _current.get()
    if window is not None and len(window.stages) < STAGES:
        ended = time.time_ns()
        window.stages.append(Span(name, spans.child_of(window.own), window.own, ended - int(took_s * 1e9), ended))


@contextmanager
def _recorded(
    record: Recorder, role: str, window: Window, links: list[Trace], own: Trace, parent: Trace | None
) -> Generator[None]:
    """Record the window's spans at the end of the block."""
    began, token, error, outcome = time.time_ns(), _current.set(window_ := _Traced(own)), "", "done"
    try:
        yield
    except WindowShelved:
        outcome = "shelved"
        raise
    except OwnershipLost:
        outcome = "lost"
        raise
    except BaseException as failure:
        error = outcome = type(failure).__name__
        raise
    finally:
        _current.reset(token)
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": next(iter(window.partitions)).topic,
            "messaging.batch.message_count": window.records,
            "clarion.role": role,
            "clarion.outcome": outcome,
        }
        record(Span(f"{role} window", own, parent, began, time.time_ns(), "consumer", links, attributes, error))
        for span in window_.stages:
            record(span)


def _sampled(window: Window) -> Iterator[Trace]:
    for batch in window.batches:
        for record in batch.records:
            if record.headers and (found := trace.sampled(record.headers)):
                yield found
