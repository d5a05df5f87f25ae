"""Structured logs: JSON lines, which a thread writes from a bounded queue, so that a slow disk stops no event loop."""

import logging
import logging.handlers
import queue
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, TextIO, cast

import structlog

from clarion.telemetry import metrics
from clarion.telemetry.log_limit import Limited

_QUEUE_RECORDS: Final = 10_000
_REPEAT_AFTER_S: Final = 5.0
_END_WITHIN_S: Final = 5.0
# Libraries of which at most warnings are logged: at `debug` they log what went over the wire, tokens included.
_LIBRARIES: Final = ("aiokafka", "faust", "mode", "httpx2", "httpcore2", "pymongo", "websockets")


class _OncePerLine(logging.Filter):
    """Lets each line of a library's code log once in `_REPEAT_AFTER_S`, so that a broker's absence fills no disk."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, int], float] = {}  # bounded by the lines of code that log

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(_LIBRARIES):
            return True
        line = record.pathname, record.lineno
        if record.created - self._said.get(line, 0.0) < _REPEAT_AFTER_S:
            return False
        self._said[line] = record.created
        return True


class _BoundedQueueHandler(logging.handlers.QueueHandler):
    """Counts records that do not fit into the queue, instead of blocking the caller or growing."""

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            metrics.logs_dropped.inc()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # unchanged, since it stays in this process, where the listener's formatter reads it


class _Listener(logging.handlers.QueueListener):
    """Ends even when the queue is full at that moment, where the standard one would raise."""

    def enqueue_sentinel(self) -> None:
        cast("queue.Queue[Any]", self.queue).put(None, timeout=_END_WITHIN_S)


@contextmanager
def logging_to(stream: TextIO = sys.stderr, *, service: str, level: str) -> Generator[Callable[[], None]]:
    """Send structlog's and the standard library's records to `stream` as JSON lines until the block ends.

    Yields a function that blocks until all that was logged is written, for a process that ends without leaving the
    block.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(service),
    ]
    limited = Limited()
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
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
    out = logging.StreamHandler(stream)
    out.setFormatter(formatter)
    records: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUE_RECORDS)
    listener = _Listener(records, out)
    root = logging.getLogger()
    handler = _BoundedQueueHandler(records)
    handler.addFilter(_OncePerLine())
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    listener.start()
    try:
        yield records.join
    finally:
        limited.end()
        listener.stop()
        root.handlers = []


def _named(service: str) -> structlog.typing.Processor:
    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add
