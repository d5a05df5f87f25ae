"""A device: its cursors, and what it has received in all its lives."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Self

from clarion.contracts.lanes import Lane
from clarion.contracts.order import JsonOrder
from tests.model.world.world import Part


@dataclass(slots=True)
class Device(Part):
    """`exempt`: what others had acknowledged before it came as a fresh one, so that it is owed none of that."""

    user: str
    gateway: int | None = None
    is_gone: bool = False  # for good
    was_there: bool = False  # when MongoDB went away, and since
    cursors: dict[Lane, JsonOrder] = field(default_factory=dict[Lane, JsonOrder])
    since: str | None = None
    received: frozenset[str] = frozenset()
    early: frozenset[str] = frozenset()  # of those, the ones that came before they were stored
    exempt: frozenset[str] = frozenset()

    def copy(self) -> Self:
        return type(self)(
            self.user,
            self.gateway,
            self.is_gone,
            self.was_there,
            dict(self.cursors),
            self.since,
            self.received,
            self.early,
            self.exempt,
        )

    def key(self) -> Hashable:
        position = tuple(self.cursors.items()), self.since
        flags = (self.gateway, self.is_gone, self.was_there)
        return self.user, flags, position, self.received, self.early, self.exempt
