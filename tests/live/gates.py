"""Where an actor's I/O is held until a schedule lets it through."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final

WITHIN_S: Final = 0.5  # for what a step lets through to be asked for: an actor that does not, refuses the step
DONE_WITHIN_S: Final = 10.0  # for what is let through to be done

_CANCEL_EVERY_S: Final = 1.0
_LOOK_S: Final = 0.002
_TURNS: Final = 10  # of the event loop: what follows on an answer and waits for nothing is done then


class Gates:
    """Of one actor: whoever comes to a point waits there, in the order of coming, or goes on once all `is_open`."""

    def __init__(self) -> None:
        self.is_open = False
        self._waiting: dict[Hashable, list[tuple[asyncio.Future[None], asyncio.Future[None]]]] = {}
        self._came = asyncio.Event()

    @asynccontextmanager
    async def at(self, point: Hashable) -> AsyncGenerator[None]:
        """Wait for leave; the block is what was asked for."""
        if self.is_open:
            yield
            return
        loop = asyncio.get_running_loop()
        leave, done = loop.create_future(), loop.create_future()
        queue = self._waiting.setdefault(point, [])
        queue.append((leave, done))
        self._came.set()
        try:
            await leave
            yield
        finally:
            if (leave, done) in queue:
                queue.remove((leave, done))
            if not done.done():
                done.set_result(None)

    async def hold(self, point: Hashable) -> None:
        async with self.at(point):
            pass

    async def let(self, point: Hashable, within_s: float = WITHIN_S) -> bool:
        """Let the first at `point` through, and wait until that is done. False when nobody comes there in time."""
        if not await self.comes(point, within_s):
            return False
        leave, done = self._waiting[point].pop(0)
        leave.set_result(None)
        async with asyncio.timeout(DONE_WITHIN_S):
            await done
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        return True

    async def comes(self, point: Hashable, within_s: float = WITHIN_S) -> bool:
        """Whether somebody waits at `point`, or comes there in time."""
        try:
            async with asyncio.timeout(within_s):
                while not self._waiting.get(point):
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return False
        return True

    def waits(self, point: Hashable) -> bool:
        return bool(self._waiting.get(point))

    def open(self) -> None:
        """Nobody is held any more."""
        self.is_open = True
        for queue in self._waiting.values():
            while queue:
                leave, _ = queue.pop(0)
                if not leave.done():
                    leave.set_result(None)


GATES: Final[ContextVar[Gates | None]] = ContextVar("gates", default=None)  # of the actor whose task this is


async def soon(is_so: Callable[[], bool], within_s: float) -> bool:
    """Whether it becomes so in time: for what happens in this process and tells nobody."""
    try:
        async with asyncio.timeout(within_s):
            while not is_so():
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        return False
    return True


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel it until it ends: a library that is just closing something may keep one for itself."""
    async with asyncio.timeout(DONE_WITHIN_S):
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_CANCEL_EVERY_S)
