"""Sends marks over the open connection, again and again until the server confirms them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

from clarion.client.errors import Unconfirmed
from clarion.client.subscribing.marks import MARKS, Mark, Marks
from clarion.contracts.records.receipts import Op
from clarion.resilience.backoff import Backoff

PACE_S: Final = 0.05  # one frame in this time: far below the server's limit of 50 a second
ROOM_S: Final = 10.0
BUSY: Final = Backoff(base_s=1.0, cap_s=30.0)


class Outbox:
    """The marks of a subscriber on their way to the server.

    `send` returns whether it wrote a frame; it did not if there is no connection, or one before its `hello`.
    """

    def __init__(self, send: Callable[[Mark], Awaitable[bool]]) -> None:
        self._send = send
        self._marks = Marks()
        self._confirmed = asyncio.Event()
        self._refusals = 0
        self.sending: asyncio.Task[None] | None = None

    async def put(self, kind: type[Mark], ids: Sequence[str]) -> None:
        """Keep marks and send them soon. Raise `Unconfirmed`, and keep none, if there is no room within `ROOM_S`."""
        try:
            async with asyncio.timeout(ROOM_S):
                while not self._marks.add(kind, ids):
                    self._confirmed.clear()
                    await self._confirmed.wait()
        except TimeoutError as error:
            self.resend()  # brings the `sync` again, in case only that was missed
            said = f"{MARKS:,} marks wait for the server to confirm them, which is a limit of the SDK: try again later"
            raise Unconfirmed(said) from error
        if self.sending is None or self.sending.done():
            self._start(self._go_on())  # first, so that marks made during the write wait their turn
            await self._send_next()

    def resend(self) -> None:
        """Send all marks again: on a new connection, and when the server could not tell everything that changed."""
        self._marks.unsent()
        if self._marks:
            self._start(self._send_all())

    def refused(self) -> None:
        """Send all marks again after a pause: the server was too busy for a frame, and does not say for which one."""
        if self._marks:
            self._start(self._send_all_after(BUSY.delay(self._refusals)))

    def synced(self, change: Op, ids: Sequence[str]) -> None:
        """Forget the marks that a `sync` confirms, and let those go on that wait for room."""
        if self._marks.confirmed(change, ids):
            self._refusals = 0
            self._confirmed.set()

    async def close(self) -> None:
        """Send all that is not sent yet, at once, because the connection ends."""
        if self.sending is not None:
            self.sending.cancel()
        while await self._send_next():
            pass

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if self.sending is not None:
            self.sending.cancel()
        self.sending = asyncio.create_task(work, name="clarion marks")

    async def _send_all_after(self, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        self._refusals += 1
        self._marks.unsent()
        await self._send_all()

    async def _send_all(self) -> None:
        if await self._send_next():
            await self._go_on()

    async def _go_on(self) -> None:
        await asyncio.sleep(PACE_S)
        while await self._send_next():
            await asyncio.sleep(PACE_S)

    async def _send_next(self) -> bool:
        frame = self._marks.next_frame()
        return frame is not None and await self._send(frame)
