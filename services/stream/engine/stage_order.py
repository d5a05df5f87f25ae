"""Keep each stage first-in-first-out in a partition while windows overlap, so that `ord` becomes visible in order.

See D-stage-order.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from enum import Enum, auto

from clarion.broker.consuming.commit_tracker import Partition


class OwnershipLost(Exception):
    """A window's partitions may be another worker's by now. The window is dropped, and their owner reads it again."""


class WindowShelved(OwnershipLost):
    """A window is put off. It and all that follow it in its ownership epoch are read again after those before it."""


class Stage(Enum):
    """A stage of a window's work that keeps the order of windows in each partition."""

    STORE = auto()
    EMIT = auto()


class Ticket:
    """A window's place in the queues of its partitions.

    `check` raises `OwnershipLost` when the window must not be stored. `changed` is called once the next window need not
    wait for this one.
    """

    def __init__(
        self,
        before: Sequence["Ticket"] = (),
        check: Callable[[], None] = lambda: None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._before = before
        self._check = check
        self._changed = changed
        self._left = {stage: asyncio.Event() for stage in Stage}
        self._is_slow = False

    @asynccontextmanager
    async def at(self, stage: Stage) -> AsyncGenerator[None]:
        """Wait until the earlier windows of the same partitions have left `stage`, then hold it for the block.

        Raise `OwnershipLost` when the partitions were given up meanwhile.

        A window that was lost lets the later ones pass, which are lost as well. A window that failed does not: storing
        what comes after it would make `ord` visible out of order before the process ends.
        """
        while ahead := self.ahead(stage):
            await ahead._left[stage].wait()
        try:
            self.check()
            yield
        except OwnershipLost:
            self.leave()
            raise
        self._left[stage].set()

    def ahead(self, stage: Stage) -> "Ticket | None":
        """Return the first earlier window of the same partitions that has not left `stage`; None if all have."""
        return next((earlier for earlier in self._before if not earlier._left[stage].is_set()), None)

    def check(self) -> None:
        """Raise `OwnershipLost` when the window is not ours to store any more. Call it before each try to store it."""
        self._check()

    def is_slow(self) -> None:
        """Note that its stage takes long, so that the next window of its partitions does not stay open for it."""
        self._is_slow = True
        self._changed()

    def is_worth_waiting_for(self, stage: Stage) -> bool:
        """Return whether the next window loses nothing by staying open until this one leaves `stage`."""
        return not (self._is_slow or self._left[stage].is_set())

    def leave(self) -> None:
        """Leave every stage, also those that the window never reached, and forget the windows before it."""
        for left in self._left.values():
            left.set()
        self._before = ()


class StageOrder:
    """The latest window of each partition."""

    def __init__(self) -> None:
        self._latest: dict[Partition, Ticket] = {}

    def join(
        self,
        partitions: Iterable[Partition],
        check: Callable[[], None] = lambda: None,
        changed: Callable[[], None] = lambda: None,
    ) -> Ticket:
        """Queue a window behind the latest ones of `partitions`, and return its ticket."""
        queues = set(partitions)
        ticket = Ticket(list({id(t): t for p in queues if (t := self._latest.get(p))}.values()), check, changed)
        self._latest.update(dict.fromkeys(queues, ticket))
        return ticket

    def are_free(self, partitions: Iterable[Partition], stage: Stage) -> bool:
        """Return whether a window of `partitions` gains nothing by waiting for those before it to leave `stage`."""
        return not any(ticket.is_worth_waiting_for(stage) for p in partitions if (ticket := self._latest.get(p)))
