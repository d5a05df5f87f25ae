"""A lane's worker: its tracker, its position and the windows in its hands."""

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

from clarion.broker.clients import SESSION_S
from clarion.broker.consuming.commit_tracker import CommitTracker
from clarion.broker.consuming.ownership import Ownership
from clarion.store.notifications import Stored
from services.stream.steps.decode import Entry
from tests.model.world.world import Part


class Done(IntEnum):
    NOTHING = 0
    STORED = 1
    ROUTED = 2


@dataclass(frozen=True, slots=True)
class Window:
    """Of a single record. `is_live`: it went out before it was stored. `epochs` only where a rule is left out."""

    offset: int
    epoch: int
    done: Done = Done.NOTHING
    is_live: bool = False
    items: Sequence[Entry | Stored] = ()
    late: frozenset[str] = frozenset()  # of the items
    mailboxes: Mapping[str, Set[int]] = field(default_factory=dict[str, Set[int]])
    epochs: tuple[tuple[int, int], ...] = ()  # of mailboxes

    def key(self) -> Hashable:
        routes = tuple((user, tuple(sorted(found))) for user, found in self.mailboxes.items())
        return (
            self.offset,
            self.done,
            self.is_live,
            tuple(item.id for item in self.items),
            self.late,
            routes,
            self.epochs,
        )


@dataclass(slots=True)
class Worker(Part):
    """`position` is None without the partition. `is_silent`: it has not heard of the broker for a session timeout."""

    tracker: CommitTracker = field(default_factory=CommitTracker)
    position: int | None = None
    windows: tuple[Window, ...] = ()
    is_asleep: bool = False
    is_silent: bool = False
    shelved_from: int | None = None  # that offset and all behind it are put off
    given_up: int = -1  # Ownership's
    live_up_to: int = -1  # offsets that have gone out early

    @property
    def ownership(self) -> Ownership:
        return Ownership(self.tracker, SESSION_S, self.given_up)

    def may_go_on(self, window: Window) -> bool:
        """By its last heartbeat, as it is asked before each store and emission."""
        ownership = self.ownership
        holds = ownership.holds(window.epoch, SESSION_S + 1 if self.is_silent else 0.0)
        self.given_up = ownership._given_up
        return holds

    def is_put_off(self, offset: int) -> bool:
        return self.shelved_from is not None and offset >= self.shelved_from

    def window(self, offset: int) -> Window:
        return next(window for window in self.windows if window.offset == offset)

    def replace(self, after: Window) -> None:
        self.windows = tuple(after if window.offset == after.offset else window for window in self.windows)

    def let_go(self, offset: int) -> None:
        self.windows = tuple(window for window in self.windows if window.offset != offset)

    def begin(self, position: int | None) -> None:
        """From here on: a new epoch with nothing in hand."""
        self.tracker.forget()
        self.position, self.windows, self.is_silent, self.shelved_from = position, (), False, None

    def copy(self) -> Self:
        return type(self)(
            _copy(self.tracker),
            self.position,
            self.windows,
            self.is_asleep,
            self.is_silent,
            self.shelved_from,
            self.given_up,
            self.live_up_to,
        )

    def key(self) -> Hashable:
        progress = tuple(
            (p.end, p.committed, tuple((t.last, t.acked, t.shelved) for t in p.taken))
            for p in self.tracker._partitions.values()
        )
        flags = (self.is_asleep, self.is_silent, self.shelved_from, self.ownership.must_read_again())
        windows = tuple(window.key() for window in self.windows)
        # epochs only grow, and everything in hand is of the present one
        return progress, self.position, windows, flags, self.live_up_to


def _copy(tracker: CommitTracker) -> CommitTracker:
    other = CommitTracker()
    other.ownership_epoch = tracker.ownership_epoch
    for partition, p in tracker._partitions.items():
        taken = type(p.taken)(type(t)(t.last, t.size, t.acked, t.shelved) for t in p.taken)
        other._partitions[partition] = type(p)(p.end, taken, p.committed)
    return other
