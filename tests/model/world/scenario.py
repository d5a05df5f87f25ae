"""What is explored: who there is, what was published, and how often what may go wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from clarion.contracts.lanes import LANES, Lane
from clarion.contracts.records.notification import Notification, encode
from services.stream.steps.decode import Entry, decode_window
from tests.unit.records import batch

OPENING: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Violation(Exception):
    """A promise is broken."""


@dataclass(frozen=True)
class Scenario:
    """What was published lies in Kafka from the beginning: workers may take it at any time.

    `lasts` names faults that are not mended, `without` the rules that are left out.
    """

    name: str
    published: tuple[tuple[str, Lane], ...] = (("ann", Lane.NORMAL),)
    devices: tuple[str, ...] = ("ann",)  # whose
    gateways: int = 1
    mailboxes: int = 1
    workers: int = 1  # of each lane
    windows: int = 1  # in flight of a worker
    credit: int | None = None  # items a connection, one of them for urgent only; the real figures without
    at_home: bool = False  # each device connects to the gateway of its own number only
    is_settled: bool = False  # in the beginning devices are connected, each at home, and live
    frail: tuple[int, ...] | None = None  # the devices and gateways that faults befall; all of them without
    faults: Mapping[str, int] = field(default_factory=dict[str, int])
    lasts: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    def befalls(self, number: int) -> bool:
        return self.frail is None or number in self.frail

    @cached_property
    def lanes(self) -> tuple[Lane, ...]:
        return tuple(lane for lane in LANES if any(lane == other for _, other in self.published))

    @cached_property
    def entries(self) -> dict[Lane, list[Entry]]:
        """What a worker decodes, by offset."""
        return {lane: self._decoded(lane) for lane in self.lanes}

    @cached_property
    def by_id(self) -> dict[str, tuple[Lane, Entry]]:
        return {entry.id: (lane, entry) for lane, entries in self.entries.items() for entry in entries}

    def names(self, ids: Sequence[str]) -> str:
        """Notifications by their places in `published`."""
        return ", ".join(f"#{int(id_[-2:])}" for id_ in ids)

    def values(self, lane: Lane) -> list[bytes]:
        """What lies in Kafka, in order."""
        return [
            encode(
                Notification(
                    id=f"00000000-0000-7000-8000-0000000000{place:02}",
                    type="model",
                    message=str(place),
                    recipient=user,
                    sender="s",
                    priority=lane,
                    created_at=OPENING,
                )
            )
            for place, (user, its_lane) in enumerate(self.published)
            if its_lane is lane
        ]

    def _decoded(self, lane: Lane) -> list[Entry]:
        return list(decode_window([batch(self.values(lane))], lane, 0, 1, OPENING).entries.values())
