"""From batches to windows to work: several windows in flight, each acknowledged when its work is done."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple

import structlog

from clarion.broker.consuming.commit_tracker import Partition
from clarion.broker.consuming.record_batch import RecordBatch
from clarion.telemetry import metrics
from services.stream.engine.source import BatchSource
from services.stream.engine.stage_order import OwnershipLost, Stage, StageOrder, Ticket, WindowShelved
from services.stream.engine.windows import Window, WindowPolicy

log = structlog.get_logger()

Work = Callable[[Window, Ticket], Awaitable[None]]
Ack = Callable[[], Any]

DRAIN_S: Final = 8.0  # below the session timeout: a rebalance must not wait longer for this worker
STUCK_S: Final = 120.0


class _Flight(NamedTuple):
    """A window that is being worked on: its number in the order they were begun, and since when."""

    number: int
    since: float


class Pipeline:
    """Takes batches by `hand`, does `work` on windows of them in `run`. `name` labels metrics.

    What is handed over and not yet acknowledged is bounded by the consumer, in bytes; so nothing here needs a bound but
    the windows in flight. Work may shelve a window (raise `WindowShelved`): it and all that are begun after it in its
    epoch are put off, and read again once all that were begun before it are done.
    """

    def __init__(
        self, name: str, policy: WindowPolicy, work: Work, source: BatchSource, *, windows_in_flight: int = 1
    ) -> None:
        self.name: Final = name
        self._source: Final = source
        self._shelved = -1  # the latest epoch of which a window was shelved
        self._shelved_from = 0  # the number of the first of them
        self.policy: Final = policy
        self._work = work
        self._waiting: Final[dict[Partition, deque[tuple[RecordBatch, Ack]]]] = {}
        self._in_flight: Final[dict[Window, _Flight]] = {}
        self._begun = 0
        self._ended: Final = asyncio.Event()  # some window
        self._unfinished = 0  # batches handed over
        self._handed_at = time.monotonic()
        self._epoch = -1  # of the latest batch
        self._refused = -1  # batches of epochs up to this one are not begun any more
        self._slots: Final = asyncio.Semaphore(windows_in_flight)
        self._order: Final = StageOrder()
        self._changed: Final = asyncio.Event()  # something came, or a partition's store is free again
        self._idle: Final = asyncio.Event()
        self._idle.set()
        self._open: Final = asyncio.Event()
        self._open.set()
        self._buffered = metrics.buffered_bytes.labels(name)
        self._windows = metrics.windows_in_flight.labels(name)
        self._window_items = metrics.window_items.labels(name)
        self._postponed = metrics.windows_shelved.labels(name)
        self._lost = metrics.windows_lost.labels(name)

    async def hand(self, batch: RecordBatch, ack: Ack) -> None:
        """Give a batch to work on. `ack` is called when its work is done."""
        await self._open.wait()
        if batch.epoch <= self._refused:
            return
        self._epoch = batch.epoch
        self._handed_at = time.monotonic()
        self._unfinished += 1
        self._idle.clear()
        self._buffered.inc(batch.size)
        self._waiting.setdefault(batch.partition, deque()).append((batch, ack))
        self._changed.set()

    async def run(self) -> None:
        """Work for ever. A failure that `work` could not handle comes out and must end the process."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._slots.acquire()
                window, acks = await self._gather()
                self._begun += 1
                flight = self._in_flight[window] = _Flight(self._begun, time.monotonic())
                ticket = self._order.join(window.partitions, partial(self._check, window, flight), self._changed.set)
                self._windows.set(len(self._in_flight))
                self._window_items.observe(window.records)
                tasks.create_task(self._do(window, ticket, acks, tasks))

    async def _do(self, window: Window, ticket: Ticket, acks: list[Ack], tasks: asyncio.TaskGroup) -> None:
        try:
            await self._work(window, ticket)
        except WindowShelved as reason:
            log.info("window shelved", lane=self.name, records=window.records, reason=str(reason))
            self._postponed.inc()
            self._put_off(window, self._in_flight[window], tasks)
        except OwnershipLost as reason:
            for epoch in {batch.epoch for batch in window.batches}:
                self._source.rewind(epoch)
            self._lost.inc()
            log.warning("window dropped, to be read again", lane=self.name, records=window.records, reason=str(reason))
        else:
            for ack in acks:
                ack()
        ticket.leave()
        del self._in_flight[window]
        self._windows.set(len(self._in_flight))
        self._buffered.dec(window.size)
        self._slots.release()
        self._changed.set()
        self._ended.set()
        self._unfinished -= len(window.batches)
        if not self._unfinished:
            self._idle.set()

    def _check(self, window: Window, flight: "_Flight") -> None:
        """Raises `OwnershipLost` when `window` must not be stored.

        Another has its partitions, or what is before it comes later.

        Each epoch is asked for, since a window may hold batches from before and after a rebalance.
        """
        epochs = {batch.epoch for batch in window.batches}
        if not all(map(self._source.owns, epochs)):
            raise OwnershipLost("its partitions were given up, or are to be read again")
        if self._shelved in epochs and flight.number > self._shelved_from:
            raise WindowShelved("what came before it was shelved")

    def _put_off(self, window: Window, flight: "_Flight", tasks: asyncio.TaskGroup) -> None:
        for batch in window.batches:
            self._source.shelve(batch)
        epoch = max(batch.epoch for batch in window.batches)
        if epoch > self._shelved:
            self._shelved, self._shelved_from = epoch, flight.number
            tasks.create_task(self._read_again(epoch))
        elif epoch == self._shelved:
            self._shelved_from = min(self._shelved_from, flight.number)

    async def _read_again(self, epoch: int) -> None:
        """Once all that came before is done: the rewind costs nothing of it, and there is room for what follows."""
        while any(flight.number < self._shelved_from for flight in self._in_flight.values()):
            self._ended.clear()
            await self._ended.wait()
        self._source.rewind(epoch)

    async def _gather(self) -> tuple[Window, list[Ack]]:
        """A window that is not full stays open while its partitions' earlier one is being stored: waiting is free."""
        window: Window | None = None
        acks: list[Ack] = []
        while True:
            if self._waiting:
                window = window or Window(self.policy, time.monotonic())
                self._fill(window, acks)
            if window and window.is_full():
                return window, acks
            wait_s = window.wait_s(time.monotonic()) if window else None
            if window and not wait_s:
                if self._order.are_free(window.partitions, Stage.STORE):
                    return window, acks
                wait_s = None
            self._changed.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _fill(self, window: Window, acks: list[Ack]) -> None:
        """Take all of one partition before the next: windows of different partitions can be stored side by side.

        A partition with more than the window holds goes to the end of the line.
        """
        now = time.monotonic()
        for partition in list(self._waiting):
            queue = self._waiting.pop(partition)
            while queue and window.has_room_for(queue[0][0]):
                batch, ack = queue.popleft()
                window.add(batch, now)
                acks.append(ack)
            if queue:
                self._waiting[partition] = queue
                return

    def close(self) -> None:
        """Take no more: what is handed from now on waits, until the app that hands it is stopped."""
        self._open.clear()

    async def drain(self) -> None:
        """Finish the windows that are begun, within DRAIN_S; begin no other of this epoch.

        What is not finished is not acknowledged: whoever has the partitions next reads it.
        """
        self._refused = self._epoch
        for queue in self._waiting.values():
            for batch, _ in queue:
                self._unfinished -= 1
                self._buffered.dec(batch.size)
        self._waiting.clear()
        if not self._unfinished:
            self._idle.set()
        await self.finished()

    async def finished(self) -> None:
        """Wait until everything handed over is done, at most DRAIN_S."""
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning("not drained in time: its windows will be delivered again", lane=self.name)

    def figures(self) -> dict[str, object]:
        return {
            "role": self.name,
            "batches_waiting": sum(map(len, self._waiting.values())),
            "windows_in_flight": len(self._in_flight),
            "window_in_hand_s": round(self._oldest_s(), 3),
        }

    def stuck(self) -> str:
        """Why this pipeline makes no progress; empty while it does."""
        if self._oldest_s() > STUCK_S:
            return f"a window has been in hand for more than {STUCK_S:g} s"
        if self._source.readable() and not self._unfinished and time.monotonic() - self._handed_at > STUCK_S:
            # seen of Faust after broker outages: no error, and no record any more
            return f"there is a backlog, and nothing was fetched for more than {STUCK_S:g} s"
        return ""

    def _oldest_s(self) -> float:
        return time.monotonic() - min(f.since for f in self._in_flight.values()) if self._in_flight else 0.0
