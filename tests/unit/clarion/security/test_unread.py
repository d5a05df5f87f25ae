"""Answers that nobody reads: how many are kept, and for how long."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from clarion.security import unread
from clarion.security.guarded_http import GuardedHttp
from tests.conftest import until
from tests.unit.clarion.security.served_app import GET, LARGE, Served, client, serving


@pytest.mark.parametrize("asked", [GET, GET.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")])
async def test_an_answer_that_nobody_reads_is_let_go(monkeypatch: pytest.MonkeyPatch, asked: bytes) -> None:
    monkeypatch.setattr(unread, "TAKEN_WITHIN_S", 0.2)
    async with serving(Served(size=LARGE)) as served, client(served) as (_, writer):
        served.gate.set()
        writer.write(asked)
        await until(lambda: served.asked == 1)
        await until(served.is_empty)


async def test_the_system_keeps_little_of_an_answer_that_nobody_reads() -> None:
    async with serving(Served(size=LARGE)) as served, client(served) as (_, writer):
        served.gate.set()
        writer.write(GET)
        await until(lambda: served.asked == 1)
        await asyncio.sleep(0.3)
        (connection,) = served.state.connections
        assert isinstance(connection, GuardedHttp)
        assert LARGE - connection.transport.get_write_buffer_size() < 512 * 1024


@pytest.mark.parametrize("asked", [GET, GET.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")])
async def test_few_unread_answers_are_kept_and_readers_still_served(asked: bytes) -> None:
    async with serving(Served(size=LARGE), most_unread=3) as served, AsyncExitStack() as clients:
        served.gate.set()
        crowd = [await clients.enter_async_context(client(served)) for _ in range(10)]
        for _, writer in crowd:
            writer.write(asked)
        await until(lambda: served.asked == 10)
        await until(lambda: len(served.state.connections) == 3)
        assert served.reset == 7
        reader, writer = await clients.enter_async_context(client(served))
        writer.write(asked)
        await reader.readuntil(b"\r\n\r\n")
        assert len(await reader.readexactly(LARGE)) == LARGE


async def test_a_slow_reader_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    size = LARGE // 8  # the system keeps 64 KiB of it
    monkeypatch.setattr(unread, "TAKEN_WITHIN_S", 8.0)
    async with serving(Served(size=size)) as served, client(served) as (reader, writer):
        served.gate.set()
        writer.write(GET)
        await asyncio.sleep(0.3)
        assert len(await reader.readuntil(b"\r\n\r\n")) + len(await reader.readexactly(size)) > size
        writer.write(GET)
        await asyncio.sleep(0)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
