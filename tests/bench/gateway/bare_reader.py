"""What Kafka and this machine take themselves: another reader of the same records, with nothing else to do.

`python -m tests.bench.gateway.bare_reader LANE MAILBOX PORT` reads them with a bare aiokafka consumer, and writes the
ids of the items of the probe to the bench, which listens on that port.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import uvloop
from rich.console import Console

from clarion.broker import clients
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.bench.gateway.probe import USER, Arrivals
from tests.bench.stream.plain_reader import items_of, to_the_end
from tests.report import Row, at_most, p99_ms
from tests.subprocesses import child

_READY: Final = "ready"
_READY_WITHIN_S: Final = 30.0

Waits = Sequence[Sequence[float]]  # of each record: to the socket, to the bare reader


@asynccontextmanager
async def reading(env: Mapping[str, str], lane: Lane, mailbox: int) -> AsyncGenerator[Arrivals]:
    """When that reader's answers come."""
    arrivals = Arrivals()
    ready = arrivals.expect(_READY)

    async def answered(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        async for line in reader:
            arrivals.tell(line.decode().rstrip())

    async with await asyncio.start_server(answered, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        async with child(["-m", "tests.bench.gateway.bare_reader", lane.value, str(mailbox), str(port)], env):
            async with asyncio.timeout(_READY_WITHIN_S):
                await ready
            yield arrivals


def compared(who: str, load: str, quiet: Waits, loaded: Waits, bar: float, console: Console) -> list[Row]:
    """Each record was read by both: what the bare reader takes longer under load, Kafka and this machine take."""
    at_socket, at_bare = (tuple(p99_ms([wait[n] for wait in waits]) for waits in (quiet, loaded)) for n in (0, 1))
    between = tuple(p99_ms([socket - bare for socket, bare in waits]) for waits in (quiet, loaded))
    rows: list[Row] = []
    for what, (before, under) in (
        ("record to socket", at_socket),
        ("record to a bare reader", at_bare),
        ("from there to socket", between),
    ):
        console.print(f"  {who}, {what}, p99: {before:.1f} ms quiet, {under:.1f} {load}")
        rows.append(Row(f"{who}, {what}: quiet, p99", before, "ms"))
        rows.append(Row(f"{who}, {what}: {load}, p99", under, "ms"))
    return [
        *rows,
        at_most(f"{who} {load} / quiet, p99", at_socket[1] / at_socket[0], bar),
        Row("the same of the bare reader", at_bare[1] / at_bare[0], "×"),
        Row(f"{who} {load}: socket / bare reader, p99", at_socket[1] / at_bare[1], "×"),
    ]


async def main(lane: Lane, mailbox: int, port: int) -> None:
    settings = Settings.from_env()
    consumer: Any = clients.mailbox_consumer(settings)
    await to_the_end(consumer, Names(settings.prefix).deliveries(lane), mailbox)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{_READY}\n".encode())
    async for items in items_of(consumer):
        writer.writelines(f"{item.id}\n".encode() for item in items if item.recipient == USER)


if __name__ == "__main__":
    uvloop.run(main(Lane(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
