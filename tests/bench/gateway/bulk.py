"""Bulk deliveries to all users at a steady rate, by a process of its own: what a bench times must not wait for them.

`python -m tests.bench.gateway.bulk MAILBOX RATE PART` sends them, RATE a second, until it is ended.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import uvloop

from clarion.broker import clients
from clarion.contracts import limits
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.bench.gateway.arms import Arm, counted
from tests.bench.gateway.clients import Board, Count
from tests.bench.gateway.delivery import SOCKETS, items
from tests.bench.gateway.items import packed
from tests.subprocesses import child

_ROUND: Final = 50 * SOCKETS  # items, made once; for each round only their ordinals change
PARTS: Final = 4
_FIRST_ROUND: Final = 100  # of 900, so that all have as many digits
_ROUNDS_OF_PART: Final = 100  # each minutes; the last has all that are left
_LAST_ROUND: Final = 1_000
_TICK_S: Final = 0.01
_FLOWS_WITHIN_S: Final = 60.0


@asynccontextmanager
async def flowing(
    env: Mapping[str, str], server: Arm, board: Board, rate: float, part: int
) -> AsyncGenerator[Callable[[], float]]:
    """While the block runs; it can ask for the share that was acknowledged of what was due since it began.

    Of the `PARTS`, from 0 on, a gateway has each once, and in order: its clients have had the ordinals of those before.
    """
    before = board[Count.RECEIVED]
    async with child(["-m", "tests.bench.gateway.bulk", str(server.mailbox), str(rate), str(part)], env):
        await counted(server, board, Count.RECEIVED, before + 1, _FLOWS_WITHIN_S)
        had, began = board[Count.ACKNOWLEDGED], time.perf_counter()
        yield lambda: (board[Count.ACKNOWLEDGED] - had) / (rate * (time.perf_counter() - began))


def _rounds(part: int) -> Iterator[bytes]:
    """Made before the first is due: what is late goes out at once, and others wait for it. So it does not give way."""
    records = [value for value, _ in packed(items(_ROUND, after=1_000 * _FIRST_ROUND))]
    first = _FIRST_ROUND + part * _ROUNDS_OF_PART
    end = _LAST_ROUND if part == PARTS - 1 else first + _ROUNDS_OF_PART
    return (
        value.replace(b"[0,%d" % _FIRST_ROUND, b"[0,%d" % number) for number in range(first, end) for value in records
    )


async def main(settings: Settings, mailbox: int, rate: float, part: int) -> None:
    records, topic = _rounds(part), Names(settings.prefix).deliveries_bulk
    producer = clients.producer(settings, linger_ms=2)
    await producer.start()
    began, sent = time.perf_counter(), 0
    while True:
        due = int(rate / limits.ITEMS_PER_RECORD * (time.perf_counter() - began)) - sent
        for value in itertools.islice(records, due):
            await producer.send(topic, value, partition=mailbox)
        sent += due
        await asyncio.sleep(_TICK_S)


if __name__ == "__main__":
    uvloop.run(main(Settings.from_env(), int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
