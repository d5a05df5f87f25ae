"""How late the event loop is: everything in a process waits for so long before it is done."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from clarion.telemetry import metrics

EVERY_S: Final = 1.0  # one timer a process, so that it costs nothing that can be measured
_REMEMBERED: Final = 60  # the latest delays, so that a figure shows the worst of a minute


@dataclass(slots=True)
class LoopDelay:
    """By how much timers of the event loop were late, each second."""

    _latest: deque[float] = field(default_factory=lambda: deque[float](maxlen=_REMEMBERED))

    async def watch(self) -> None:
        """Set a timer each second, and note by how much it is late, until cancelled."""
        while True:
            due = time.monotonic() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.seen(time.monotonic() - due)

    def seen(self, delay_s: float) -> None:
        """Note that a timer was late by `delay_s`; a timer that came early by less than a millisecond was not late."""
        delay_s = max(0.0, delay_s)
        self._latest.append(delay_s)
        metrics.loop_delay_seconds.observe(delay_s)

    def worst_s(self, seconds: int = _REMEMBERED) -> float:
        """Return the longest delay of the last `seconds`, of a minute at most."""
        return max(list(self._latest)[-seconds:], default=0.0)

    def figures(self) -> dict[str, object]:
        """Return what `/health/metrics` shows of the running event loop: how late it was, and how many tasks it has."""
        return {"loop_delay_s": round(self.worst_s(), 3), "tasks": len(asyncio.all_tasks())}
