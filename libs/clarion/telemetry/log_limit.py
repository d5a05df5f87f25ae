"""Limit how often the log says the same: a few lines a minute, and then one line that says how many were left out.

A producer that has gone wrong sends ten thousand bad records a second. Metrics count each. A log with a line for each
would fill the machine's disk, and hide all other lines.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

FEW: Final = 10  # lines of one kind that are written within EVERY_S
EVERY_S: Final = 60.0
_KINDS: Final = 1_000  # beyond so many, all new kinds count as one
_LIMITED: Final = frozenset({"warning", "error"})
_NAMES: Final = ("event", "what", "reason", "topic")  # lines that agree in these fields are of one kind
_OTHER: Final = ("other",)

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
    """How often each kind of line was written. Pure: `now` is in seconds, of any clock."""

    _said: dict[Kind, _Said] = field(default_factory=dict[Kind, _Said])

    def admits(self, fields: Fields, now: float) -> bool:
        """Return whether to write the line. One that is not written is counted."""
        kind = tuple(str(fields.get(name, "")) for name in _NAMES)
        if kind not in self._said and len(self._said) >= _KINDS:
            kind = _OTHER
        said = self._said.setdefault(kind, _Said(now + EVERY_S))
        if said.lines < FEW:
            said.lines += 1
            return True
        said.more += 1
        said.last = fields
        return False

    def over(self, now: float) -> list[tuple[int, Fields]]:
        """Forget the kinds whose minute is over; return how many lines of each were left out, and the last of them."""
        ended = [kind for kind, said in self._said.items() if said.until <= now]
        found = [self._said.pop(kind) for kind in ended]
        return [(said.more, said.last) for said in found if said.more]


class Limited:
    """A processor of structlog that drops what `LogLimit` does not admit, and logs a minute later how much that was."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._limit: Final = LogLimit()
        self._now: Final = now
        self._lock: Final = threading.RLock()
        self._timer: threading.Timer | None = None

    def __call__(self, _: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Return the event of a line that is to be logged. Raises `structlog.DropEvent` for one that is left out."""
        if method not in _LIMITED:
            return event
        self.tell(self._now())
        with self._lock:
            if self._limit.admits(event, self._now()):
                return event
            if self._timer is None:
                self._timer = threading.Timer(EVERY_S, self._later)
                self._timer.daemon = True
                self._timer.start()
        raise structlog.DropEvent

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
