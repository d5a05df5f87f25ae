"""When the local Kafka is ready."""

import asyncio
import gc
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from deploy.local.servers import kafka


async def test_a_slow_broker_is_not_ready_and_no_connection_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_ANSWERS_WITHIN_S", 0.25)
    async with slow_broker(versions_after_s=0.2) as port:
        assert not await kafka.is_ready(port)
        gc.collect()  # pytest makes an error of what it then warns of


@asynccontextmanager
async def slow_broker(versions_after_s: float) -> AsyncGenerator[int]:
    """It says what it can do (KIP-35: metadata, versions 0 and 1), late, and answers nothing else."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while size := await reader.read(4):
                api, _, correlation = struct.unpack_from(">hhi", await reader.readexactly(*struct.unpack(">i", size)))
                if api == 18:
                    await asyncio.sleep(versions_after_s)
                    writer.write(struct.pack(">iihihhh", 16, correlation, 0, 1, 3, 0, 1))
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield port
