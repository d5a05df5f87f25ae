"""Between opening and closing, and in one event loop: the time and place in which an object of the SDK may be used."""

import asyncio

from clarion.client.errors import NotOpen


class Life:
    """`what` names the object in errors: "publisher". Its first use binds it to the loop that runs then."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = False

    def begin(self) -> None:
        """It may be opened again after its end, in another loop as well. Raises `NotOpen` while another loop has it."""
        if self._is_over:
            self._loop, self._is_over = None, False
        self.check()

    def check(self) -> None:
        """Raises `NotOpen` after the end, and as `check_loop` does."""
        if self._is_over:
            raise NotOpen(f"this {self._what} is closed: open another one")
        self.check_loop()

    def check_loop(self) -> None:
        """Raises `NotOpen`: what lives in one loop (connections, locks) must not be touched from another."""
        running = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = running
        elif self._loop is not running:
            raise NotOpen(f"this {self._what} belongs to another event loop: use it in that one, or make one a loop")

    def end(self) -> None:
        self._is_over = True
