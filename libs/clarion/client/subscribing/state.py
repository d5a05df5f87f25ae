"""What an application may show of its subscriber: its state, and counts of what it has done."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a subscriber stands; `on_state` is called with each change.

    `connecting` until the server's `hello`, then `live`; `waiting` between two connections; `closed` before the start
    and after the end.
    """

    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    CLOSED = "closed"


@dataclass(slots=True)
class Stats:
    """Counts since the subscriber was made.

    `received` are the notifications that were handed out, `repeats` those that were dropped since they had been handled
    or retracted before, `reconnects` the connections that were lost and are made again.
    """

    received: int = 0
    repeats: int = 0
    reconnects: int = 0
