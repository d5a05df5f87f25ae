"""Looks at the whole system for all who watch: one task asks all processes, whoever and however many there are."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from clarion.contracts import times
from clarion.operating.overview.system_watch import SystemWatch
from clarion.operating.processes import ProcessView
from clarion.web.budget import Full
from clarion.web.problem_responses import Unavailable

log = structlog.get_logger()

WATCHED_EVERY_S: Final = 3.0  # while somebody watches
IDLE_EVERY_S: Final = 10.0  # while nobody does: a point of the charts each
VIEWERS_MOST: Final = 32
_FRESH_S: Final = 4.0  # an older overview is not answered with while a newer one can be had
_FIRST_WITHIN_S: Final = 10.0  # asking all processes takes 6 s at most

Ask = Callable[[], Awaitable[list[ProcessView]]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One look, encoded once for all: its number, when it ended on the monotonic clock, the overview and the charts."""

    number: int
    at_s: float
    overview: bytes
    charts: bytes


class Live:
    """What was seen last, and who watches. `ask` returns what all processes say, and has deadlines of its own."""

    def __init__(self, ask: Ask, most: int = VIEWERS_MOST) -> None:
        self._ask: Final = ask
        self._most: Final = most
        self._system: Final = SystemWatch()
        self._seen: Seen | None = None
        self._changed = asyncio.Event()  # each look sets it and puts a new one into its place
        self._wanted: Final = asyncio.Event()
        self.viewers = 0
        self.has_ended = False

    async def run(self) -> None:
        """Look until cancelled: every `WATCHED_EVERY_S` while somebody watches, else every `IDLE_EVERY_S`.

        A look that fails is logged, and the next one is made all the same.
        """
        while True:
            self._wanted.clear()
            began = time.monotonic()
            try:
                views = await self._ask()
                # tens of milliseconds for hundreds of processes: not on the event loop
                self._publish(await asyncio.to_thread(self._look, views))
            except Exception as error:  # noqa: BLE001 - whatever a process said, the console looks again
                log.warning("the console could not look at all processes", error=repr(error))
            # at least a third, since a look takes seconds while a process does not answer
            await asyncio.sleep(max(WATCHED_EVERY_S / 3, began + WATCHED_EVERY_S - time.monotonic()))
            if not self.viewers:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(began + IDLE_EVERY_S - time.monotonic()):
                        await self._wanted.wait()

    def _look(self, views: list[ProcessView]) -> Seen:
        now_s = time.monotonic()
        overview = msgspec.json.encode(self._system.look(now_s, times.now(), views))
        number = self._seen.number + 1 if self._seen else 1
        return Seen(number, now_s, overview, msgspec.json.encode(self._system.charts()))

    def _publish(self, seen: Seen) -> None:
        self._seen = seen
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def end(self) -> None:
        """Let all viewers go, since the process ends."""
        self.has_ended = True
        self._wake()

    @contextlib.contextmanager
    def viewing(self) -> Generator[None]:
        """Count a viewer while the block runs. Raise `Full` beyond the most."""
        if self.viewers >= self._most:
            raise Full
        self.viewers += 1
        self._wanted.set()
        try:
            yield
        finally:
            self.viewers -= 1

    async def after(self, number: int, within_s: float) -> Seen | None:
        """Wait for what was seen after the look of this number; return None without any, or when the process ends.

        A viewer that is slow misses looks, and gets the newest.
        """
        if (self._seen is None or self._seen.number <= number) and not self.has_ended:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._changed.wait()
        return self._seen if self._seen and self._seen.number > number and not self.has_ended else None

    async def now(self) -> Seen:
        """Return what is seen now. Raise `Unavailable` if there is nothing yet."""
        seen = self._seen
        if seen is None or time.monotonic() - seen.at_s > _FRESH_S:
            self._wanted.set()
            seen = await self.after(seen.number if seen else 0, _FIRST_WITHIN_S) or seen
        if seen is None:
            raise Unavailable("no process was asked yet: try again in some seconds")
        return seen
