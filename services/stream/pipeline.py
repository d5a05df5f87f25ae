"""From batches to windows to work: one window at a time, in order, acknowledged when its work is done."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from clarion.broker.record_batches import RecordBatch
from clarion.telemetry import metrics
from services.stream.windows import Window, WindowPolicy

log = structlog.get_logger()

Work = Callable[[list[RecordBatch]], Awaitable[None]]

_BATCHES: Final = 16  # handed over and not yet in a window: beyond that Faust's buffer fills and fetching pauses
DRAIN_S: Final = 8.0  # below the session timeout: a rebalance must not wait longer for this worker
STUCK_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class _Handed:
    batch: RecordBatch
    ack: Callable[[], Any]


class Pipeline:
    """Takes batches by `hand`, does `work` on windows of them in `run`. `name` labels metrics."""

    def __init__(self, name: str, policy: WindowPolicy, work: Work) -> None:
        self.name = name
        self._policy = policy
        self._work = work
        self._queue: Final[asyncio.Queue[_Handed]] = asyncio.Queue(_BATCHES)
        self._idle: Final = asyncio.Event()
        self._idle.set()
        self._open: Final = asyncio.Event()
        self._open.set()
        self._in_hand_since: float | None = None
        self._buffered = metrics.buffered_bytes.labels(name)
        self._window_items = metrics.window_items.labels(name)

    async def hand(self, batch: RecordBatch, ack: Callable[[], Any]) -> None:
        """Give a batch to work on; waits while the queue is full. `ack` is called when its work is done."""
        await self._open.wait()
        self._idle.clear()
        self._buffered.inc(batch.size)
        await self._queue.put(_Handed(batch, ack))

    async def run(self) -> None:
        """Work for ever. A failure that `work` could not handle comes out and must end the process."""
        while True:
            window, handed = await self._gather()
            self._in_hand_since = time.monotonic()
            self._window_items.observe(window.records)
            await self._work(window.batches)
            for done in handed:
                done.ack()
            self._buffered.dec(window.size)
            self._in_hand_since = None
            if self._queue.empty():
                self._idle.set()

    async def _gather(self) -> tuple[Window, list[_Handed]]:
        handed = [await self._queue.get()]
        window = Window(self._policy, time.monotonic())
        window.add(handed[0].batch, window.opened)
        while not window.is_full():
            try:
                handed.append(self._queue.get_nowait())
            except asyncio.QueueEmpty:
                wait_s = window.wait_s(time.monotonic())
                if wait_s <= 0:
                    break
                try:
                    async with asyncio.timeout(wait_s):
                        handed.append(await self._queue.get())
                except TimeoutError:
                    break
            window.add(handed[-1].batch, time.monotonic())
        return window, handed

    def close(self) -> None:
        """Take no more: what is handed from now on waits, until the app that hands it is stopped."""
        self._open.clear()

    async def drain(self) -> None:
        """Wait until nothing is in hand, at most DRAIN_S: what is left is delivered again to whoever comes next."""
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning("not drained in time: its windows will be delivered again", lane=self.name)

    def figures(self) -> dict[str, object]:
        since = self._in_hand_since
        return {
            "role": self.name,
            "batches_waiting": self._queue.qsize(),
            "window_in_hand_s": None if since is None else round(time.monotonic() - since, 3),
        }

    def stuck(self) -> str:
        """Why this pipeline makes no progress; empty while it does."""
        since = self._in_hand_since
        if since is None or time.monotonic() - since < STUCK_S:
            return ""
        return f"a window has been in hand for more than {STUCK_S:g} s"
