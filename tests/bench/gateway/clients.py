"""The load client: many sockets in one process, as lean as they can be, so that it is not what a bench measures.

A raw asyncio protocol: an upgrade request made by hand, a mask of zeros, acknowledgements by tag, pongs. It counts on a
board that the bench reads: memory mapped by both.

`python -m tests.bench.gateway.clients BOARD PORT SOCKETS PER_SECOND [HANDLED SINCE]` connects as the users 0 to
SOCKETS - 1, at that pace or as fast as it goes (0), and stays. Each says that it has handled what is
up to that ordinal, and was told that `since`: as every SDK does when it returns.
"""

import asyncio
import mmap
import re
import sys
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, cast

import uvloop

from clarion.contracts.api import frames
from clarion.contracts.api.frames import BEARER_PREFIX, SUBPROTOCOL, Resume
from clarion.contracts.lanes import Lane
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from tests.bench import background

AT_ONCE: Final = 64
PER_ADDRESS: Final = 100  # what a gateway takes of one address
_AGAIN_S: Final = 0.5  # after a refusal that does not say when
_BOARD_BYTES: Final = 4096
_BATCH: Final = b'{"op":"batch","tag":'
_PING: Final = b'{"op":"ping"'
_HELLO: Final = b'{"op":"hello"'
_RETRY_AFTER: Final = re.compile(rb"(?i)\r\nretry-after: *(\d+)")
_ORDINALS: Final = re.compile(rb'"ord":\[0,(\d+)\]')
_TEXT: Final = 0x81
_CLOSE: Final = 0x88
_PING_FRAME: Final = 0x89


class Count(IntEnum):
    """What the board tells."""

    GREETED = 0
    LOST = 1  # sockets that ended
    REFUSED = 2  # upgrades that were answered with anything but 101, and tried again
    RECEIVED = 3
    ACKNOWLEDGED = 4
    REPEATED = 5
    SKIPPED = 6  # ordinals that never came
    PINGS = 7


class Board:
    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _BOARD_BYTES)
        self.counts = memoryview(self._map).cast("q")

    @classmethod
    def new(cls, path: Path) -> "Board":
        path.write_bytes(bytes(_BOARD_BYTES))
        return cls(path)

    def __getitem__(self, count: Count) -> int:
        return self.counts[count]


def user(number: int) -> str:
    return f"user-{number:05}"


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame of at most 125 bytes, its mask of zeros."""
    return bytes((opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload


class Link(asyncio.Protocol):
    __slots__ = ("_buffer", "_counts", "_is_open", "_last", "_request", "_resume", "_transport", "refused")

    def __init__(self, counts: Any, request: bytes, resume: Resume, refused: "asyncio.Future[float]") -> None:
        self._counts = counts
        self._request = request
        self._buffer = b""
        self._is_open = False
        self._last = resume.cursors.get(Lane.NORMAL, (0, 0))[1]  # ordinal
        self._resume = frames.encode(resume)
        self.refused = refused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_open:
            self._counts[Count.LOST] += 1
        elif not self.refused.done():
            self.refused.set_result(_AGAIN_S)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        if not self._is_open:
            head, separator, rest = data.partition(b"\r\n\r\n")
            if not separator:
                self._buffer = data
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                told = _RETRY_AFTER.search(head)
                self.refused.set_result(float(told[1]) if told else _AGAIN_S)
                self._transport.abort()
                return
            self._is_open = True
            self._transport.write(masked(_TEXT, self._resume))
            data = rest
        self._buffer = self._frames(data)

    def _frames(self, data: bytes) -> bytes:
        """Handle every whole frame; return what is left."""
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10]), at + 10
            if end < start or end - start < size:
                break
            self._handle(data[at], data[start : start + size])
            at = start + size
        return data[at:]

    def _handle(self, opcode: int, payload: bytes) -> None:
        counts = self._counts
        if opcode == _PING_FRAME:
            counts[Count.PINGS] += 1
            self._transport.write(masked(0x8A, payload))
        elif opcode == _CLOSE:
            self._transport.write(masked(_CLOSE, payload[:2]))
            self._transport.close()
        elif payload.startswith(_BATCH):
            tag = payload[len(_BATCH) : payload.index(b",", len(_BATCH))]
            for ordinal in map(int, _ORDINALS.findall(payload)):
                counts[Count.RECEIVED] += 1
                if ordinal <= self._last:
                    counts[Count.REPEATED] += 1
                else:
                    counts[Count.SKIPPED] += ordinal - self._last - 1
                    self._last = ordinal
            self._transport.write(masked(_TEXT, b'{"op":"ack","tag":%b}' % tag))
            counts[Count.ACKNOWLEDGED] += 1
        elif payload.startswith(_PING):
            counts[Count.PINGS] += 1
            self._transport.write(masked(_TEXT, b'{"op":"pong"}'))
        elif payload.startswith(_HELLO):
            counts[Count.GREETED] += 1
            self.refused.set_result(0.0)


async def connect(settings: Settings, board: Board, port: int, sockets: int, per_second: float, resume: Resume) -> None:
    """Connect them all; one that is refused comes again when it is told to."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    free = asyncio.Semaphore(AT_ONCE if per_second else sockets)
    async with asyncio.TaskGroup() as tasks:
        for number in range(sockets):
            await free.acquire()
            if per_second:
                await asyncio.sleep(began + number / per_second - loop.time())
            tasks.create_task(_connect(settings, board, port, number, resume)).add_done_callback(
                lambda _: free.release()
            )


async def _connect(settings: Settings, board: Board, port: int, number: int, resume: Resume) -> None:
    loop = asyncio.get_running_loop()
    request = (
        f"GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}, {BEARER_PREFIX}{_token(settings, number)}\r\n\r\n"
    ).encode()
    address = number // PER_ADDRESS
    source = f"127.1.{address // 250}.{1 + address % 250}"
    while True:
        refused: asyncio.Future[float] = loop.create_future()
        link = Link(board.counts, request, resume, refused)
        await loop.create_connection(lambda link=link: link, "127.0.0.1", port, local_addr=(source, 0))
        wait_s = await refused
        if not wait_s:
            return
        board.counts[Count.REFUSED] += 1
        await asyncio.sleep(wait_s)


def _token(settings: Settings, number: int) -> str:
    return mint(settings, sub=user(number), scope=SUBSCRIBE, ttl_s=7200)


async def main(path: str, port: int, sockets: int, per_second: float, resume: Resume) -> None:
    await connect(Settings.from_env(), Board(Path(path)), port, sockets, per_second, resume)
    await asyncio.Event().wait()


def _returning(handled: str, since: str) -> Resume:
    return Resume({Lane.NORMAL: (0, int(handled))}, since)


if __name__ == "__main__":
    background.give_way()
    resume = _returning(*sys.argv[5:]) if sys.argv[5:] else Resume()
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), resume))
