"""What Kafka and this machine take themselves: another reader of the same urgent records, with nothing else to do.

`python -m tests.bench.gateway_bare MAILBOX PORT` reads them with a bare aiokafka consumer, and writes each item's id to
the bench, which listens on that port.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import uvloop

from clarion.broker import clients
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from tests.bench.gateway_probe import Arrivals
from tests.bench.plain_reader import items_of, to_the_end
from tests.children import child

_READY: Final = "ready"
_READY_WITHIN_S: Final = 30.0


@asynccontextmanager
async def reading(env: Mapping[str, str], mailbox: int) -> AsyncGenerator[Arrivals]:
    """When that reader's answers come."""
    arrivals = Arrivals()
    ready = arrivals.expect(_READY)

    async def answered(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        async for line in reader:
            arrivals.tell(line.decode().rstrip())

    async with await asyncio.start_server(answered, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        async with child(["-m", "tests.bench.gateway_bare", str(mailbox), str(port)], env):
            async with asyncio.timeout(_READY_WITHIN_S):
                await ready
            yield arrivals


async def main(mailbox: int, port: int) -> None:
    settings = Settings.from_env()
    consumer: Any = clients.mailbox_consumer(settings)
    await to_the_end(consumer, Names(settings.prefix).deliveries(Lane.URGENT), mailbox)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{_READY}\n".encode())
    async for items in items_of(consumer):
        writer.writelines(f"{item.id}\n".encode() for item in items)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
