"""Structured logs: JSON lines, one for each event, which a thread writes from a bounded queue.

`docs/logs-and-traces.md` says what is in a line.
"""

import logging
import queue
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, TextIO

import structlog

from clarion.telemetry import log_writer
from clarion.telemetry.log_limit import Limited, LimitedRecords
from clarion.telemetry.log_text import cleaned
from clarion.telemetry.log_writer import BoundedQueueHandler, LogWriter

# The packages whose lines are logged at the level that is set. All others are libraries, of which at most warnings are
# logged: at `debug` they log what went over the wire, tokens and payloads included.
_OURS: Final = ("clarion", "services", "deploy")


@contextmanager
def logging_to(stream: TextIO = sys.stderr, *, service: str, level: str) -> Generator[Callable[[], None]]:
    """Send structlog's and the standard library's records to `stream` as JSON lines until the block ends.

    Yields a function that blocks until all that was logged is written, for a process that ends without leaving the
    block. The end of the block takes at most `END_WITHIN_S`, whatever the stream does.
    """
    limited = Limited()
    shared = _shared(service)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            limited,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    out = logging.StreamHandler(stream)
    out.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                cleaned,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    records: queue.Queue[logging.LogRecord] = queue.Queue(log_writer.QUEUE_RECORDS)
    handler = BoundedQueueHandler(records, out)
    handler.addFilter(LimitedRecords(limited))
    writer = LogWriter(handler, out)
    with _receiving(handler, level.upper()):
        writer.start()
        try:
            yield records.join
        finally:
            limited.end()
            writer.stop()


def _shared(service: str) -> list[structlog.typing.Processor]:
    """Return what adds the fields that every line has, and turns an error into its traceback."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(service),
    ]


@contextmanager
def _receiving(handler: logging.Handler, level: str) -> Generator[None]:
    """Give all records to `handler`, and what Python itself would write to stderr: that blocks whoever writes."""
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    unraisable, sys.unraisablehook = sys.unraisablehook, _unraisable
    try:
        yield
    finally:
        sys.unraisablehook = unraisable
        logging.captureWarnings(False)
        for name in _OURS:
            logging.getLogger(name).setLevel(logging.NOTSET)
        root.handlers = []


def _unraisable(found: Any) -> None:
    """Log an error that nobody can handle, such as one of a finalizer."""
    logging.getLogger(__name__).error(
        "an error was ignored, since nobody could handle it",
        exc_info=(found.exc_type, found.exc_value, found.exc_traceback),
    )


def _named(service: str) -> structlog.typing.Processor:
    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add
