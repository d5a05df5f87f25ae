"""Long work in pieces, between which urgent work gets its turns of the event loop."""

import asyncio
import time
from typing import Final

AT_LEAST_EVERY_S: Final = 0.0005
# From a record's bytes in aiokafka's socket to its handler, one task wakes another for nine turns, and for three more
# until the next fetch is sent. Work that gave way for one turn only would run again in between each of these.
_TURNS: Final = 12
# Two turns in a row that took no longer had nothing to do, so no record is on its way. One alone says little: of a
# record's turns the shortest take 8 to 10 µs, with longer ones on both sides. Empty turns take 3 to 5 µs, and a dozen
# of them after each half millisecond were a tenth of a gateway's CPU.
_EMPTY_S: Final = 0.00001
_EMPTY_TURNS: Final = 2


class TimeSlice:
    """Tells a long loop when to give way to others, and does so."""

    def __init__(self) -> None:
        self._gave_way = time.monotonic()

    def is_over(self) -> bool:
        """Return whether half a millisecond has passed, so that it is time to give way.

        Ask after each piece of work: that costs less than giving way after each.
        """
        return time.monotonic() - self._gave_way > AT_LEAST_EVERY_S

    async def give_way(self) -> None:
        """Leave the event loop to others: until nobody has anything to do, or as long as an urgent record needs."""
        before, empty = time.monotonic(), 0
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            self._gave_way = time.monotonic()
            empty = empty + 1 if self._gave_way - before < _EMPTY_S else 0
            if empty == _EMPTY_TURNS:
                break
            before = self._gave_way
