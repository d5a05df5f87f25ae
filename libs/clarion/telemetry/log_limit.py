"""Limit how often the log says the same: a few lines a minute, and then one line that says how many were left out.

A producer that has gone wrong sends ten thousand bad records a second. Metrics count each. A log with a line for each
would fill the machine's disk, and hide all other lines.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

EVERY_S: Final = 60.0
# By level, how many lines of one kind are written within EVERY_S. Whoever sets `debug` wants to see more.
FEW: Final = {"debug": 600, "info": 60, "warning": 10, "error": 10, "critical": 10}
# Libraries that repeat one complaint for as long as a server is away: each line of their code logs once within EVERY_S.
CHATTY: Final = ("aiokafka", "faust", "mode", "opentelemetry", "pymongo")
_KINDS: Final = 1_000  # beyond so many, all new kinds count as one
_NAMES: Final = ("event", "what", "reason", "topic")  # our lines that agree in these fields are of one kind
_OTHER: Final = ("other",)
_TEXT_CHARS: Final = 80

Fields = Mapping[str, Any]
Kind = tuple[str, ...]


@dataclass(slots=True)
class _Said:
    until: float
    lines: int = 0
    more: int = 0
    last: Fields = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class LogLimit:
    """How often each kind of line was written. Pure: `now` is in seconds, of a clock that does not go back."""

    _said: dict[Kind, _Said] = field(default_factory=dict[Kind, _Said])  # the first to be over is in front

    def admits(self, kind: Kind, fields: Fields, most: int, now: float) -> bool:
        """Return whether to write a line of this kind, of which there may be `most`. What is not written is counted."""
        if kind not in self._said and len(self._said) >= _KINDS:
            kind = _OTHER
        said = self._said.setdefault(kind, _Said(now + EVERY_S))
        if said.lines < most:
            said.lines += 1
            return True
        said.more += 1
        said.last = fields
        return False

    def over(self, now: float) -> list[tuple[int, Fields]]:
        """Forget the kinds whose minute is over; return how many lines of each were left out, and the last of them."""
        found: list[tuple[int, Fields]] = []
        while self._said:
            kind, said = next(iter(self._said.items()))
            if said.until > now:
                break
            del self._said[kind]
            if said.more:
                found.append((said.more, said.last))
        return found


class Limited:
    """Drops lines that `LogLimit` does not admit, and logs a minute later how many those were.

    It is a processor of structlog for our own lines. `LimitedRecords` has the records of libraries judged by it.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._limit: Final = LogLimit()
        self._now: Final = now
        self._lock: Final = threading.RLock()
        self._timer: threading.Timer | None = None

    def __call__(self, _: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Return the event of a line that is to be logged. Raises `structlog.DropEvent` for one that is left out."""
        kind = tuple(str(event.get(name, "")) for name in _NAMES)
        if not self.admits(kind, event, FEW.get(method, FEW["warning"])):
            raise structlog.DropEvent
        return event

    def admits(self, kind: Kind, fields: Fields, most: int) -> bool:
        """Return whether to write a line of this kind. One that is not written is counted, and told of later."""
        self.tell(self._now())
        with self._lock:
            if self._limit.admits(kind, fields, most, self._now()):
                return True
            if self._timer is None:
                self._timer = threading.Timer(EVERY_S, self._later)
                self._timer.daemon = True
                self._timer.start()
        return False

    def _later(self) -> None:
        with self._lock:
            self._timer = None
        self.tell(self._now())

    def tell(self, now: float) -> None:
        """Log how many lines were left out, of each kind whose minute is over at `now`."""
        with self._lock:
            over = self._limit.over(now)
        for more, last in over:
            example = {name: value for name, value in last.items() if name not in ("event", "exc_info", "what")}
            structlog.get_logger(__name__).warning(
                "further lines of this kind were left out of the log",
                what=last["event"],
                more=more,
                seconds=EVERY_S,
                **example,
            )

    def end(self) -> None:
        """Stop the timer, and log how many lines were left out so far."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
        self.tell(float("inf"))


class LimitedRecords(logging.Filter):
    """A filter that drops the records of libraries that `limited` does not admit. Ours from structlog were judged.

    A kind is a line of code, how its text begins (one line of Faust logs all that Faust has to say), and the type of
    error that it logs (one line of asyncio logs whatever nobody handled).
    """

    def __init__(self, limited: Limited) -> None:
        super().__init__()
        self._limited: Final = limited

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be logged."""
        if isinstance(record.msg, dict):
            return True
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        is_chatty = record.name.startswith(CHATTY)
        most = 1 if is_chatty else FEW.get(record.levelname.lower(), FEW["warning"])
        text = str(record.msg)[:_TEXT_CHARS]
        kind = (record.name, str(record.lineno), text, error)
        return self._limited.admits(kind, {"event": text, "library": record.name}, most)
