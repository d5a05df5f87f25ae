"""Batches what is published concurrently: a few requests are under way, and what waits meanwhile is the next batch.

A connection for each notification would cost more than the notification, and a server does not take a thousand.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from clarion.client.errors import NotOpen, Refused, Unavailable
from clarion.client.publishing.transport import Result
from clarion.contracts import limits
from clarion.contracts.api.problems import Problem

REQUESTS: Final = 4  # under way at once
WAITING: Final = 2 * limits.BATCH_LINES  # notifications that are encoded; what is published beyond waits unencoded
TRY_S: Final = 10.0  # how long one request may take
UNSETTLED: Final = frozenset({429, 503})

Send = Callable[[Sequence[bytes], float], Awaitable[Mapping[int, Result]]]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A notification in the queue. `verdict` is its id once it is accepted, or the exception of its publisher."""

    line: bytes
    deadline: float
    is_sent: bool = False
    verdict: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class PublishQueue:
    """A queue in front of `send(lines, deadline)`, which returns a result for each line by its index.

    `trouble` returns why the server took nothing lately, or an empty text; errors quote it.
    """

    def __init__(self, send: Send, trouble: Callable[[], str]) -> None:
        self._send = send
        self._trouble = trouble
        self._waiting: deque[_Waiting] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(WAITING)

    async def put(self, encode: Callable[[], bytes], deadline: float) -> str:
        """Publish what `encode` returns; return the id of the notification.

        Raise `Refused`, `Unavailable` after the deadline, or `NotOpen` when the queue is stopped meanwhile.
        """
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self._room.acquire()
        except TimeoutError as error:
            raise self._too_late() from error
        try:
            one = _Waiting(encode(), deadline)
            self._waiting.append(one)
            if len(self._sending) < REQUESTS:
                self._start()
            return await self._verdict(one)
        finally:
            self._room.release()

    async def _verdict(self, one: _Waiting) -> str:
        """Wait for the verdict until the deadline, and for up to `TRY_S` more if a request is under way then."""
        try:
            await asyncio.wait([one.verdict], timeout=max(0.0, one.deadline - time.monotonic()))
            if one.is_sent and not one.verdict.done():
                await asyncio.wait([one.verdict], timeout=TRY_S)
            if not one.verdict.done():
                raise self._too_late(
                    "the server has not answered yet, and may still accept the notification" if one.is_sent else ""
                )
            return one.verdict.result()
        finally:
            one.verdict.cancel()  # `_take` then leaves it out

    def _too_late(self, why: str = "") -> Unavailable:
        own = (
            f"{len(self._waiting):,} notifications wait for one of the {REQUESTS} requests that a publisher may have "
            "under way, which is a limit of the SDK: publish fewer at once, or raise deadline_s"
        )
        return Unavailable(f"the notification was not accepted within the deadline: {self._trouble() or why or own}")

    async def stop(self) -> None:
        """Cancel the requests that are under way; all that is not accepted yet raises `NotOpen`."""
        sending = list(self._sending)
        for task in sending:
            task.cancel()
        if sending:
            await asyncio.wait(sending)
        while self._waiting:
            _fail(self._waiting.popleft(), _closed())

    def _start(self) -> None:
        task = asyncio.create_task(self._run(), name="clarion publish")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _run(self) -> None:
        while together := self._take():
            try:
                results = await self._send([one.line for one in together], together[-1].deadline)
            except asyncio.CancelledError:
                for one in together:
                    _fail(one, _closed())
                raise
            except Exception as error:  # noqa: BLE001 - each publisher of this batch raises it
                for one in together:
                    _fail(one, error)
                continue
            for index, one in enumerate(together):
                _settle(one, results[index])

    def _take(self) -> list[_Waiting]:
        """Take the next notifications that a publisher still waits for, as many as fit into one request."""
        taken: list[_Waiting] = []
        size = 0
        while self._waiting and len(taken) < limits.BATCH_LINES:
            one = self._waiting[0]
            size += 0 if one.verdict.done() else len(one.line) + 1
            if taken and size > limits.BATCH_BYTES:
                break
            self._waiting.popleft()
            if not one.verdict.done():
                one.is_sent = True
                taken.append(one)
        return taken


def _settle(one: _Waiting, result: Result) -> None:
    if one.verdict.done():
        return
    if result.id is not None:
        one.verdict.set_result(result.id)
    elif result.status in UNSETTLED:
        said = "; ".join(error.detail for error in result.errors)
        _fail(one, Unavailable(said or f"the server answered HTTP {result.status}"))
    else:
        title = HTTPStatus(result.status).phrase
        _fail(one, Refused(Problem(title, result.status, "the notification is invalid", errors=result.errors)))


def _fail(one: _Waiting, error: Exception) -> None:
    if not one.verdict.done():
        one.verdict.set_exception(error)


def _closed() -> NotOpen:
    return NotOpen("the publisher was closed before the notification was accepted; the server may still accept it")
