"""What an application may show of its subscriber: where it stands, and what it has done."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    CLOSED = "closed"


@dataclass(slots=True)
class Stats:
    """`received`: handed out; `repeats`: dropped; `reconnects`: connections lost and sought again."""

    received: int = 0
    repeats: int = 0
    reconnects: int = 0
