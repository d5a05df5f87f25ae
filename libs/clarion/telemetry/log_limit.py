"""How often the log says the same: a few times a minute, and then in one line how much more there was.

A producer that has gone wrong sends ten thousand bad records a second. Metrics count each; a log with a line for
each would fill the disk of the machine, and hide everything else that is said.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

FEW: Final = 10  # lines of a kind
EVERY_S: Final = 60.0
_KINDS: Final = 1_000  # beyond that, new kinds are one kind
_LIMITED: Final = frozenset({"warning", "error"})
_NAMES: Final = ("event", "what", "reason", "topic")  # what makes a kind, of the fields of a line
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
    """Pure: `now` are seconds of any clock."""

    _said: dict[Kind, _Said] = field(default_factory=dict[Kind, _Said])

    def admits(self, fields: Fields, now: float) -> bool:
        """Whether to write the line; one that is not written is counted."""
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
        """Of each kind whose minute is over: how many lines were left out, and the last one. Forgets these kinds."""
        ended = [kind for kind, said in self._said.items() if said.until <= now]
        found = [self._said.pop(kind) for kind in ended]
        return [(said.more, said.last) for said in found if said.more]


class Limited:
    """A processor of structlog that drops what `LogLimit` does not admit, and says how much that was a minute later."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._limit: Final = LogLimit()
        self._now: Final = now
        self._lock: Final = threading.RLock()
        self._timer: threading.Timer | None = None

    def __call__(self, _: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
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
        """Say what was left out of the log until `now`."""
        with self._lock:
            over = self._limit.over(now)
        for more, last in over:
            example = {name: value for name, value in last.items() if name not in ("event", "exc_info", "what")}
            structlog.get_logger(__name__).warning(
                "not logged one by one", what=last["event"], more=more, seconds=EVERY_S, **example
            )

    def end(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
        self.tell(float("inf"))
