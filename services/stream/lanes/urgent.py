"""Do the urgent lane's work: like any lane's, and live without MongoDB while that is slow or away.

A window that MongoDB keeps for longer than SLOW_S goes to every mailbox as `unstored`, and waits on, as in any lane.
When MongoDB answers in the end, it is routed, emitted and acknowledged as usual. At most `slots` windows wait so. The
next ones go live as well and are shelved: their payload is let go, and their offsets are not committed. When those that
wait are done, the lane reads the shelved ones again and stores, routes and emits them in full (D-outage-again). So an
outage costs the memory of a few windows, however long it is, and a MongoDB that is only slow is never asked for the
same twice.

The lane remembers by offset what has gone live, so that reading it again does not send it again. So windows have to go
live in the order of their offsets (D-early-order).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final, TypeVar

from clarion.broker.consuming.commit_tracker import Partition
from clarion.contracts import times
from clarion.telemetry import metrics
from services.stream.engine.stage_order import Stage, Ticket, WindowShelved
from services.stream.engine.windows import Window
from services.stream.lanes.lane import LaneWork, Mailboxes
from services.stream.steps.decode import Decoded, Entry
from services.stream.steps.records import unstored_records
from services.stream.steps.store import Outcome

SLOW_S: Final = 0.25

T = TypeVar("T")


@dataclass(slots=True)
class UrgentWork:
    """The work of the urgent lane on its windows.

    At most `slots` windows wait for MongoDB at once. `mailboxes` returns the mailboxes that somebody reads.
    """

    lane: LaneWork
    slots: int
    mailboxes: Callable[[], Sequence[int]]
    _inside: set[Ticket] = field(default_factory=set[Ticket])  # windows that have a slot
    _line: dict[Ticket, Decoded] = field(default_factory=dict[Ticket, Decoded])  # windows waiting for a slot, in order
    # windows that have or had a slot, and are not emitted yet
    _unsent: dict[Ticket, Decoded] = field(default_factory=dict[Ticket, Decoded])
    _slow: int = 0  # calls of MongoDB that have taken longer than SLOW_S and are not done
    _moved: asyncio.Event = field(default_factory=asyncio.Event)  # a window left its slot or the line, or became slow
    _live_up_to: dict[Partition, int] = field(default_factory=dict[Partition, int])

    async def __call__(self, window: Window, ticket: Ticket) -> None:
        """Do all of the window's work. Raise `WindowShelved` when it has gone live and is put off."""
        decoded = self.lane.decode(window)
        await self._enter(ticket, decoded)
        self._unsent[ticket] = decoded
        try:
            outcome, mailboxes = await self._stored_and_routed(ticket, decoded)
            await self.lane.emit(decoded, outcome, mailboxes, ticket)
        finally:
            del self._unsent[ticket]

    async def _stored_and_routed(self, ticket: Ticket, decoded: Decoded) -> tuple[Outcome, Mailboxes]:
        """Store and route a window that has a slot, and give the slot up."""
        try:
            if self._slow:
                ticket.is_slow()
                await self._go_live([decoded])
            async with ticket.at(Stage.STORE):
                outcome = await self._patiently(self.lane.store(decoded, ticket))
            return outcome, await self._patiently(self.lane.route(outcome))
        finally:
            self._inside.remove(ticket)
            self._moved.set()

    async def _enter(self, ticket: Ticket, decoded: Decoded) -> None:
        """Wait for a slot. Raise `WindowShelved` when the window has gone live instead."""
        try:
            await self._take_slot(ticket, decoded)
        except WindowShelved:
            await self._go_live([decoded])
            raise

    async def _take_slot(self, ticket: Ticket, decoded: Decoded) -> None:
        """Wait in the line until the window may have a slot, and take that."""
        self._line[ticket] = decoded
        try:
            while not self._may_enter(ticket, decoded):
                await self._next_move()
            self._inside.add(ticket)
        finally:
            del self._line[ticket]
            self._moved.set()

    def _may_enter(self, ticket: Ticket, decoded: Decoded) -> bool:
        """Return whether the window may take a slot now.

        Raise `WindowShelved` when it is to go live instead, and `OwnershipLost` when it is not ours any more.
        """
        ticket.check()
        if next(iter(self._line)) is ticket and len(self._inside) < self.slots:
            return True
        if self._slow and self._unseen(decoded) and not self._is_behind_unseen(ticket):
            raise WindowShelved("too many windows wait for MongoDB already")
        return False

    def _is_behind_unseen(self, ticket: Ticket) -> bool:
        """Return whether an earlier window in the line has still to go live.

        Once a later one has gone live, the earlier one would count as seen and would never be sent.
        """
        earlier = takewhile(lambda one: one is not ticket, self._line)
        return any(self._unseen(self._line[one]) for one in earlier)

    async def _next_move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def _patiently(self, call: Awaitable[T]) -> T:
        """Await MongoDB's answer, however long it takes.

        When it takes longer than SLOW_S, everything that is not emitted yet goes live.
        """
        asking = asyncio.ensure_future(call)
        try:
            await asyncio.wait([asking], timeout=SLOW_S)
            if not asking.done():
                await self._outwait(asking)
            return asking.result()
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.wait([asking])

    async def _outwait(self, asking: "asyncio.Future[T]") -> None:
        """Have what is not emitted yet go live, then wait until `asking` is done."""
        self._slow += 1
        try:
            for ticket in self._unsent:
                ticket.is_slow()
            await self._go_live(list(self._unsent.values()))
            self._moved.set()
            await asyncio.wait([asking])
        finally:
            self._slow -= 1

    async def _go_live(self, windows: Iterable[Decoded]) -> None:
        """Send to every mailbox what has not gone live yet.

        Its order is not promised, and no cursor moves.
        """
        entries = [entry for decoded in windows for entry in self._unseen(decoded)]
        for entry in entries:
            self._live_up_to[entry.partition] = max(entry.record.offset, self._live_up_to.get(entry.partition, -1))
        if not entries:
            return
        with self.lane.stage("live"):
            await self.lane.send(list(unstored_records(self.lane.names, self.lane.lane, entries, self.mailboxes())))
        metrics.unstored.inc(len(entries))

    def _unseen(self, decoded: Decoded) -> list[Entry]:
        """Return the entries of a window that are to be pushed, have not expired and have not gone live yet."""
        gone = decoded.gone(times.now())
        return [
            entry
            for id_, entry in decoded.entries.items()
            if entry.is_pushed and id_ not in gone and entry.record.offset > self._live_up_to.get(entry.partition, -1)
        ]
