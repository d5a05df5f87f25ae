"""Whether an object of the SDK may be used: it is open, and in the event loop that it belongs to."""

import asyncio

from clarion.client.errors import NotOpen


class Life:
    """Says whether one object is open, and binds it to the event loop of its first use.

    `what` names the object in errors, such as "publisher".
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = False

    def begin(self) -> None:
        """Open the object, also again after its end, then in any loop. Raise `NotOpen` while another loop uses it."""
        if self._is_over:
            self._loop, self._is_over = None, False
        self.check()

    def check(self) -> None:
        """Raise `NotOpen` after the end, and in another event loop."""
        if self._is_over:
            raise NotOpen(f"this {self._what} is closed: open another one")
        self.check_loop()

    def check_loop(self) -> None:
        """Raise `NotOpen` in another event loop: connections and locks of one loop must not be used in another."""
        running = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = running
        elif self._loop is not running:
            raise NotOpen(f"this {self._what} belongs to another event loop: use it there, or open one for each loop")

    def end(self) -> None:
        """Close the object: `check` raises `NotOpen` until the next `begin`."""
        self._is_over = True
