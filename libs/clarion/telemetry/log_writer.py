"""Write log records in a thread of its own, from a bounded queue: a sink that blocks stops no event loop."""

import logging
import logging.handlers
import queue
import threading
import time
from contextlib import suppress
from typing import Any, Final, cast

import structlog

from clarion.telemetry import metrics

QUEUE_RECORDS: Final = 10_000
END_WITHIN_S: Final = 5.0

log = structlog.get_logger()


class BoundedQueueHandler(logging.handlers.QueueHandler):
    """Counts records that do not fit into the queue, instead of blocking the caller or growing."""

    lost = 0  # since the log was last told of lost lines
    writer: threading.Thread | None = None

    def __init__(self, records: "queue.Queue[logging.LogRecord]", out: logging.Handler) -> None:
        super().__init__(records)
        self._out: Final = out

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put the record into the queue, or count it as lost.

        What the writer itself logs is written at once: it may come behind the end of the queue, which nobody reads.
        """
        if threading.current_thread() is self.writer:
            self._out.handle(record)
            return
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.lost += 1
            metrics.logs_dropped.inc()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record unchanged: it stays in this process, where the writer's formatter reads it."""
        return record


class LogWriter(logging.handlers.QueueListener):
    """Writes what is in the queue of `handler`. Once the sink takes lines again, it logs how many were lost."""

    def __init__(self, handler: BoundedQueueHandler, out: logging.Handler) -> None:
        super().__init__(cast("queue.Queue[Any]", handler.queue), out)
        self._handler: Final = handler

    def start(self) -> None:
        """Start the thread that writes."""
        super().start()
        self._handler.writer = self._thread

    def handle(self, record: logging.LogRecord) -> None:
        """Write a record."""
        super().handle(record)
        waiting = cast("queue.Queue[Any]", self.queue)
        if self._handler.lost and waiting.qsize() <= waiting.maxsize // 2:
            lost, self._handler.lost = self._handler.lost, 0
            log.warning("log lines were lost, because they came faster than the log was written", lost=lost)

    def stop(self) -> None:
        """Write what is left, and end. A sink that takes nothing is left behind after END_WITHIN_S."""
        ends = time.monotonic() + END_WITHIN_S
        with suppress(queue.Full):
            cast("queue.Queue[Any]", self.queue).put(None, timeout=END_WITHIN_S)
        if thread := self._thread:
            thread.join(max(0.0, ends - time.monotonic()))
