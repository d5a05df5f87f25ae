"""Publishing straight to Kafka: a start that comes to nothing leaves nothing open."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from clarion.client import Unavailable
from clarion.client.kafka_publisher import KafkaTransport

WITHIN_S = 10.0


@asynccontextmanager
async def dumb_broker() -> AsyncGenerator[tuple[int, asyncio.Event, asyncio.Event]]:
    """It takes connections and says nothing; its port, when it was asked, and when the client had hung up."""
    asked, left = asyncio.Event(), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            asked.set()
        left.set()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1") as server, asyncio.timeout(WITHIN_S):
        yield server.sockets[0].getsockname()[1], asked, left


def transport(port: int, deadline_s: float) -> KafkaTransport:
    return KafkaTransport(f"127.0.0.1:{port}", "calls", "", deadline_s)


async def test_without_an_answer_it_is_unavailable() -> None:
    async with dumb_broker() as (port, _, left):
        with pytest.raises(Unavailable, match=f"127.0.0.1:{port}"):
            await transport(port, 0.2).start()
        await left.wait()
        gc.collect()  # pytest makes an error of what it then warns of


async def test_a_start_that_is_cancelled_hangs_up() -> None:
    async with dumb_broker() as (port, asked, left):
        starting = asyncio.create_task(transport(port, 30).start())
        await asked.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await left.wait()
        gc.collect()
