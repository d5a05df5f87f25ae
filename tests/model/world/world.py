"""The world at one moment is made of parts. A step copies the parts that it changes and shares the rest.

A part's state is numbered once, so that a state of the world is a few small numbers.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar, cast

from tests.model.world.scenario import Scenario

Place = tuple[Any, ...]  # the part's type, and which of them


@dataclass(slots=True)
class Part(ABC):
    number: int | None = field(default=None, init=False, repr=False)  # of its state

    @abstractmethod
    def copy(self) -> Self:
        """One that can be changed without changing this one."""

    @abstractmethod
    def key(self) -> Hashable:
        """Equal for states that behave alike, and for no others."""


P = TypeVar("P", bound=Part)


@dataclass(slots=True)
class World:
    """A step works on a `copy`, and changes only what `change` hands out."""

    scenario: Scenario
    parts: dict[Place, Part] = field(default_factory=dict[Place, Part])
    numbers: dict[Hashable, int] = field(
        default_factory=dict[Hashable, int]
    )  # of parts' states, of a whole exploration
    _own: set[Place] = field(default_factory=set[Place])

    def copy(self) -> "World":
        return World(self.scenario, dict(self.parts), self.numbers)

    def keeps(self, rule: str) -> bool:
        return rule not in self.scenario.without

    def get(self, kind: type[P], *which: object) -> P:
        return cast("P", self.parts[(kind, *which)])

    def change(self, kind: type[P], *which: object) -> P:
        place = (kind, *which)
        part = self.parts[place]
        if place not in self._own:
            part = part.copy()
            self.put(part, *which)
        return cast("P", part)

    def put(self, part: Part, *which: object) -> None:
        """A new part, which may replace one."""
        place = (type(part), *which)
        self.parts[place] = part
        self._own.add(place)

    def remove(self, kind: type[Part], *which: object) -> None:
        del self.parts[(kind, *which)]

    def has(self, kind: type[Part], *which: object) -> bool:
        return (kind, *which) in self.parts

    def each(self, kind: type[P]) -> Iterator[tuple[Any, P]]:
        """(which, part) pairs; parts may be changed meanwhile."""
        for place in [place for place in self.parts if place[0] is kind]:
            _, *which = place
            yield tuple(which) if len(which) > 1 else which[0], cast("P", self.parts[place])

    def key(self) -> Hashable:
        """Of a whole state; call it once a step is done."""
        for place in self._own:
            if part := self.parts.get(place):
                part.number = self.numbers.setdefault((place, part.key()), len(self.numbers))
        return tuple(sorted([part.number for part in self.parts.values() if part.number is not None]))
