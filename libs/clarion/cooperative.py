"""Turns of the event loop that long work leaves to what is urgent."""

import asyncio
import time
from typing import Final

AT_LEAST_EVERY_S: Final = 0.0005
# From a record's bytes in aiokafka's socket to its handler, one task wakes another for nine turns, and for three more
# until the next fetch is out. Who gives way for one turn works on in each of these. An empty turn takes a microsecond.
_TURNS: Final = 12


class TimeSlice:
    """Of long work in pieces."""

    def __init__(self) -> None:
        self._gave_way = time.monotonic()

    def is_over(self) -> bool:
        """Ask after each piece: every half millisecond it is time to give way. To await that each time costs more."""
        return time.monotonic() - self._gave_way > AT_LEAST_EVERY_S

    async def give_way(self) -> None:
        """Let an urgent record that has arrived go all of its way."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._gave_way = time.monotonic()
