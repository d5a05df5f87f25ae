"""The program of a fleet of Python devices: `python -m tests.compare.clients.program clarion` (or `before`).

It reads what to do from its standard input and writes what happens to its standard output, as `lines.py` has it.
"""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec
import uvloop
from websockets.protocol import Protocol as WebSocketProtocol

from tests.bench import background
from tests.compare.clients.device import Device, Tell, say
from tests.compare.clients.lines import Do, Received

_BYTES_EVERY_S: Final = 0.5
_received: list[int] = [0]


def count_bytes() -> None:
    """Count what all sockets receive, at the one place where every byte of both kinds of clients comes by."""
    receive = WebSocketProtocol.receive_data

    def counting(self: WebSocketProtocol, data: bytes | bytearray) -> None:
        _received[0] += len(data)
        receive(self, data)

    WebSocketProtocol.receive_data = counting


async def main(make: Callable[[Tell], Device]) -> None:
    """Do what the lines say until there are no more."""
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    devices: dict[str, tuple[Device, asyncio.Task[None]]] = {}
    counting = asyncio.create_task(_tell_bytes())
    try:
        await _serve(lines, devices, make)
    finally:
        counting.cancel()
        for _, task in devices.values():
            task.cancel()
        await asyncio.gather(counting, *(task for _, task in devices.values()), return_exceptions=True)


async def _serve(
    lines: asyncio.StreamReader,
    devices: dict[str, tuple[Device, "asyncio.Task[None]"]],
    make: Callable[[Tell], Device],
) -> None:
    async for line in lines:
        asked = msgspec.json.decode(line, type=Do)
        match asked.do:
            case "connect":
                if asked.user not in devices:
                    device = make(tell := Tell(asked.user, asked.position))
                    task = asyncio.create_task(device.run(), name=asked.user)
                    task.add_done_callback(partial(_ended, tell))
                    devices[asked.user] = device, task
            case "leave":
                if asked.user in devices:
                    devices.pop(asked.user)[1].cancel()
            case "cut":
                if asked.user in devices:
                    devices[asked.user][0].cut()


def _ended(tell: Tell, task: "asyncio.Task[None]") -> None:
    """Tell of a device that has given up by itself."""
    if not task.cancelled() and (error := task.exception()) is not None:
        tell.ended(f"gave up: {type(error).__name__}: {error}")


async def _tell_bytes() -> None:
    told = -1
    while True:
        if _received[0] != told:
            told = _received[0]
            say(Received(told))
        await asyncio.sleep(_BYTES_EVERY_S)


def _kind(name: str) -> Callable[[Tell], Device]:
    match name:
        case "clarion":
            from tests.compare.clients import clarion_device

            return clarion_device.maker()
        case "before":
            from tests.compare.clients import before_device

            return before_device.maker()
        case _:
            sys.exit(f"there are no devices of the kind {name!r}: it is clarion or before")


if __name__ == "__main__":
    background.give_way()
    count_bytes()
    uvloop.run(main(_kind(sys.argv[1])))
