"""The urgent lane's work: as any lane's, and live without MongoDB while that is slow or away.

A window that MongoDB keeps for longer than SLOW_S goes to every mailbox as `unstored`, and waits on, as in any lane:
when MongoDB answers in the end, it is routed, emitted and acknowledged as usual. What cannot wait, because enough
windows do, goes live as well and is shelved: its payload is let go, its offsets are not committed, and once those that
wait are done, the lane reads them again and stores, routes and emits in full (D-outage-again). So an outage costs the
memory of a few windows, however long it is, and a MongoDB that is only slow is never asked for the same twice.

What has gone live is remembered by offset, so that reading it again does not send it again. So windows go live in the
order of their offsets (D-early-order).
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
    """At most `places` windows wait for MongoDB at once. `mailboxes` are those that somebody reads."""

    lane: LaneWork
    places: int
    mailboxes: Callable[[], Sequence[int]]
    _inside: set[Ticket] = field(default_factory=set[Ticket])  # who has a place
    _line: dict[Ticket, Decoded] = field(default_factory=dict[Ticket, Decoded])  # before the places, in their order
    _unsent: dict[Ticket, Decoded] = field(default_factory=dict[Ticket, Decoded])  # had a place, and is not emitted yet
    _slow: int = 0  # calls that have taken too long, and take on
    _moved: asyncio.Event = field(default_factory=asyncio.Event)  # somebody left a place or the line, or became slow
    _live_up_to: dict[Partition, int] = field(default_factory=dict[Partition, int])

    async def __call__(self, window: Window, ticket: Ticket) -> None:
        decoded = self.lane.decode(window)
        await self._enter(ticket, decoded)
        self._unsent[ticket] = decoded
        try:
            outcome, mailboxes = await self._stored_and_routed(ticket, decoded)
            await self.lane.emit(decoded, outcome, mailboxes, ticket)
        finally:
            del self._unsent[ticket]

    async def _stored_and_routed(self, ticket: Ticket, decoded: Decoded) -> tuple[Outcome, Mailboxes]:
        """In a place, which is left then."""
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
        """Wait for a place. Raises `WindowShelved` when what waits has gone live instead."""
        try:
            await self._take_place(ticket, decoded)
        except WindowShelved:
            await self._go_live([decoded])
            raise

    async def _take_place(self, ticket: Ticket, decoded: Decoded) -> None:
        self._line[ticket] = decoded
        try:
            while not self._may_enter(ticket, decoded):
                await self._next_move()
            self._inside.add(ticket)
        finally:
            del self._line[ticket]
            self._moved.set()

    def _may_enter(self, ticket: Ticket, decoded: Decoded) -> bool:
        ticket.check()
        if next(iter(self._line)) is ticket and len(self._inside) < self.places:
            return True
        if self._slow and self._unseen(decoded) and not self._is_behind_unseen(ticket):
            raise WindowShelved("as many windows wait for MongoDB as may")
        return False

    def _is_behind_unseen(self, ticket: Ticket) -> bool:
        """Whether an earlier window in the line has still to go live: once a later one has, it would count as seen."""
        earlier = takewhile(lambda one: one is not ticket, self._line)
        return any(self._unseen(self._line[one]) for one in earlier)

    async def _next_move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def _patiently(self, call: Awaitable[T]) -> T:
        """Await what MongoDB answers, however long that takes; when it is long, all that is not sent yet goes live."""
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
        """Send what has not gone live yet to every mailbox. Order is not promised for it, and nobody's cursor moves."""
        entries = [entry for decoded in windows for entry in self._unseen(decoded)]
        for entry in entries:
            self._live_up_to[entry.partition] = max(entry.record.offset, self._live_up_to.get(entry.partition, -1))
        if not entries:
            return
        with self.lane.stage("live"):
            await self.lane.send(list(unstored_records(self.lane.names, self.lane.lane, entries, self.mailboxes())))
        metrics.unstored.inc(len(entries))

    def _unseen(self, decoded: Decoded) -> list[Entry]:
        gone = decoded.gone(times.now())
        return [
            entry
            for id_, entry in decoded.entries.items()
            if entry.is_pushed and id_ not in gone and entry.record.offset > self._live_up_to.get(entry.partition, -1)
        ]
