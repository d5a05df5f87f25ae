"""The clock, and what may still go wrong."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from tests.model.world.scenario import OPENING
from tests.model.world.world import Part, World


@dataclass(slots=True)
class Weather(Part):
    """How many faults of each kind are `left`; whether MongoDB answers; `faults` so far."""

    left: dict[str, int]
    mongodb: bool = True
    hours: int = 0

    def copy(self) -> Self:
        return type(self)(dict(self.left), self.mongodb, self.hours)

    def key(self) -> Hashable:
        return tuple(self.left.values()), self.mongodb, self.hours


def weather(w: World) -> Weather:
    return w.get(Weather, 0)


def now(w: World) -> datetime:
    return OPENING + timedelta(hours=weather(w).hours)


def now_ms(w: World) -> int:
    return int(now(w).timestamp() * 1000)


def has_clock(w: World, gateway: int) -> bool:
    """Whether it matters when a gateway read its mailbox: else none of what keeps that is kept."""
    return "hour passes" in w.scenario.faults and w.scenario.befalls(gateway)


def is_calm(w: World) -> bool:
    """Whether nothing has gone wrong so far."""
    return weather(w).left == w.scenario.faults
