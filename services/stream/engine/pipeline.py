"""Gather batches into windows and work on several windows at once; acknowledge each when its work is done."""

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
    """A window in work: its `number` in the order in which windows are begun, and the time `since` then."""

    number: int
    since: float


class Pipeline:
    """Takes batches by `hand`, and does `work` on windows of them in `run`. `name` labels metrics.

    The consumer limits, in bytes, what is handed over and not yet acknowledged, so only the windows in flight have a
    limit here. Work may shelve a window by raising `WindowShelved`. That window and all of its ownership epoch that are
    begun after it are put off, and read again once all that were begun before it are done.
    """

    def __init__(
        self, name: str, policy: WindowPolicy, work: Work, source: BatchSource, *, windows_in_flight: int = 1
    ) -> None:
        self.name: Final = name
        self._source: Final = source
        self._shelved = -1  # the latest ownership epoch of which a window was shelved
        self._shelved_from = 0  # the number of the first window that was shelved in it
        self.policy: Final = policy
        self._work = work
        self._waiting: Final[dict[Partition, deque[tuple[RecordBatch, Ack]]]] = {}
        self._in_flight: Final[dict[Window, _Flight]] = {}
        self._begun = 0
        self._ended: Final = asyncio.Event()  # set when a window has ended
        self._unfinished = 0  # batches that were handed over and are not done
        self._handed_at = time.monotonic()
        self._backlog_since: float | None = None  # since when each question found records and nothing in hand
        self._ownership_epoch = -1  # the ownership epoch of the latest batch
        self._refused = -1  # batches of this ownership epoch and earlier ones are not begun any more
        self._slots: Final = asyncio.Semaphore(windows_in_flight)
        self._order: Final = StageOrder()
        self._changed: Final = asyncio.Event()  # set when a batch came, or a window became slow or ended
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
        """Give a batch to work on. `ack` is called when its work is done.

        A batch of an ownership epoch that was drained is dropped: it is read again.
        """
        await self._open.wait()
        if batch.ownership_epoch <= self._refused:
            return
        self._ownership_epoch = batch.ownership_epoch
        self._handed_at = time.monotonic()
        self._unfinished += 1
        self._idle.clear()
        self._buffered.inc(batch.size)
        self._waiting.setdefault(batch.partition, deque()).append((batch, ack))
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled. Raise what `work` could not handle; the process must end then."""
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
        """Do the work on a window, then acknowledge it, put it off, or have it read again."""
        try:
            await self._work(window, ticket)
        except WindowShelved as reason:
            log.info(
                "a window is put off until MongoDB answers", lane=self.name, records=window.records, reason=str(reason)
            )
            self._postponed.inc()
            self._put_off(window, self._in_flight[window], tasks)
        except OwnershipLost as reason:
            for ownership_epoch in {batch.ownership_epoch for batch in window.batches}:
                self._source.rewind(ownership_epoch)
            self._lost.inc()
            log.warning(
                "a window is dropped, and its records are read again",
                lane=self.name,
                records=window.records,
                reason=str(reason),
            )
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
        """Raise `OwnershipLost` when `window` must not be stored.

        That is when its partitions may be another worker's, or when a window before it was shelved and so comes later
        (`WindowShelved`). Each ownership epoch of the window is checked, since it may hold batches from before and
        after a rebalance.
        """
        ownership_epochs = {batch.ownership_epoch for batch in window.batches}
        if not all(map(self._source.owns, ownership_epochs)):
            raise OwnershipLost("the partitions of the window were given up, or are read again")
        if self._shelved in ownership_epochs and flight.number > self._shelved_from:
            raise WindowShelved("an earlier window of the same partitions was shelved")

    def _put_off(self, window: Window, flight: "_Flight", tasks: asyncio.TaskGroup) -> None:
        """Shelve the window's batches, and have its ownership epoch read again later."""
        for batch in window.batches:
            self._source.shelve(batch)
        ownership_epoch = max(batch.ownership_epoch for batch in window.batches)
        if ownership_epoch > self._shelved:
            self._shelved, self._shelved_from = ownership_epoch, flight.number
            tasks.create_task(self._read_again(ownership_epoch))
        elif ownership_epoch == self._shelved:
            self._shelved_from = min(self._shelved_from, flight.number)

    async def _read_again(self, ownership_epoch: int) -> None:
        """Rewind `ownership_epoch` once all windows before the shelved ones are done.

        Then the rewind repeats none of their work, and there is room for what follows.
        """
        while any(flight.number < self._shelved_from for flight in self._in_flight.values()):
            self._ended.clear()
            await self._ended.wait()
        self._source.rewind(ownership_epoch)

    async def _gather(self) -> tuple[Window, list[Ack]]:
        """Return the next window, and the acknowledgements of its batches.

        A window that is not full stays open while an earlier one of its partitions is being stored: it would have to
        wait for that anyway.
        """
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

        A partition that has more than the window can hold goes to the end of the line.
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
        """Take no more batches. `hand` waits from now on, until the app that calls it is stopped."""
        self._open.clear()

    async def drain(self) -> None:
        """Finish the windows that are begun, within DRAIN_S, and begin no other of this ownership epoch.

        What is not finished is not acknowledged: the next owner of the partitions reads it.
        """
        self._refused = self._ownership_epoch
        for queue in self._waiting.values():
            for batch, _ in queue:
                self._unfinished -= 1
                self._buffered.dec(batch.size)
        self._waiting.clear()
        if not self._unfinished:
            self._idle.set()
        await self.finished()

    async def finished(self) -> None:
        """Wait until everything that was handed over is done, for at most DRAIN_S."""
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning(
                "the windows in hand were not done in time, so their records will be read again", lane=self.name
            )

    def figures(self) -> dict[str, object]:
        """Return what `/health/metrics` shows of this pipeline, by its name: a process may have several."""
        shown: dict[str, object] = {
            "batches_waiting": sum(map(len, self._waiting.values())),
            "windows_in_flight": len(self._in_flight),
            "window_in_hand_s": round(self.oldest_s(), 3),
        }
        return {self.name: shown}

    def stuck(self) -> str:
        """Return, in words, why this pipeline makes no progress; empty while it does.

        Ask every few seconds, as probes do: a backlog counts from when it was seen first, since after a long pause the
        first record is there for a moment before it is fetched.
        """
        if self.oldest_s() > STUCK_S:
            return f"a window has been in hand for more than {STUCK_S:g} s"
        if not self._source.readable() or self._unfinished:
            self._backlog_since = None
            return ""
        now, since = time.monotonic(), self._backlog_since  # read once: another thread may ask at the same time
        self._backlog_since = since = now if since is None else max(since, self._handed_at)
        if now - since > STUCK_S:
            # Faust was seen to do this after outages of a broker: it raised no error, and brought no more records
            return f"there is a backlog, and nothing was fetched for more than {STUCK_S:g} s"
        return ""

    def oldest_s(self) -> float:
        """Return for how many seconds the oldest window has been in work, 0 without one; any thread may ask."""
        flights = list(self._in_flight.values())
        return time.monotonic() - min(flight.since for flight in flights) if flights else 0.0
