"""Windows overlap, but in a partition each stage is first-in-first-out: `ord` becomes visible in order.

See D-stage-order.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from enum import Enum, auto

from clarion.broker.consuming.commit_tracker import Partition


class OwnershipLost(Exception):
    """A window's partitions may be another worker's by now: drop it, whoever has them reads it again."""


class WindowShelved(OwnershipLost):
    """A window is put off: it and all that follow it in its epoch are read again, once those before it are done."""


class Stage(Enum):
    STORE = auto()
    EMIT = auto()


class Ticket:
    """A window's place in its partitions' queues."""

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

        Raises `OwnershipLost` when the partitions were given up meanwhile.

        A window that was lost lets the later ones pass, which are lost, too. One that failed does not: storing what
        comes after it would show `ord` out of order before the process ends.
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
        """The first earlier window of the same partitions that has not left `stage`."""
        return next((earlier for earlier in self._before if not earlier._left[stage].is_set()), None)

    def check(self) -> None:
        """Raises `OwnershipLost` when the window is not ours to store any more: ask before each try to store it."""
        self._check()

    def is_slow(self) -> None:
        """Its stage takes long: the next window of its partitions shall not stay open for it."""
        self._is_slow = True
        self._changed()

    def is_worth_waiting_for(self, stage: Stage) -> bool:
        return not (self._is_slow or self._left[stage].is_set())

    def leave(self) -> None:
        """Out of every stage, also those it never came to. Lets go of what came before."""
        for left in self._left.values():
            left.set()
        self._before = ()


class StageOrder:
    """The latest window of each partition; bounded by the partitions there are."""

    def __init__(self) -> None:
        self._latest: dict[Partition, Ticket] = {}

    def join(
        self,
        partitions: Iterable[Partition],
        check: Callable[[], None] = lambda: None,
        changed: Callable[[], None] = lambda: None,
    ) -> Ticket:
        """Queue a window up behind the latest ones of `partitions`."""
        queues = set(partitions)
        ticket = Ticket(list({id(t): t for p in queues if (t := self._latest.get(p))}.values()), check, changed)
        self._latest.update(dict.fromkeys(queues, ticket))
        return ticket

    def are_free(self, partitions: Iterable[Partition], stage: Stage) -> bool:
        """Whether a window of `partitions` gains nothing by waiting for the one before it to leave `stage`."""
        return not any(ticket.is_worth_waiting_for(stage) for p in partitions if (ticket := self._latest.get(p)))
