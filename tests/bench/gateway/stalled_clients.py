"""Clients that stall: they are greeted, are sent several times their credit, read nothing, and catch up in the end."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from websockets.frames import Opcode

from clarion.broker import clients
from clarion.contracts.lanes import Lane
from clarion.contracts.limits import MESSAGE_CHARS
from clarion.contracts.records.deliveries import Addressed
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from tests.bench.gateway.arms import Arm, Lost, serving
from tests.bench.gateway.items import MESSAGE, insert, item, packed
from tests.bench.gateway.probe import probing
from tests.bench.stream.throughput import own_lane
from tests.faults.gateway.raw_client import Raw, frame, slow_socket
from tests.gateways import RESUME
from tests.report import Row, at_most

ITEMS: Final = 500  # to each: several times its credit
_LARGE_ITEMS: Final = 150  # twice its credit in bytes, and more
_MANY: Final = 100  # what else a process grows by, a MiB now and then, is little of theirs
_CAUGHT_UP_WITHIN_S: Final = 60.0
_RECEIVE_BYTES: Final = 2**18
_ACK: Final = b'{"op":"ack","tag":%d}'


def made_for(names: Sequence[str], count: int = ITEMS, message: str = MESSAGE) -> list[Addressed]:
    return [item(name, Lane.NORMAL, n + 1, message) for n in range(count) for name in names]


@asynccontextmanager
async def sending(settings: Settings, server: Arm, made: Sequence[Addressed]) -> AsyncGenerator[asyncio.Task[None]]:
    """Meanwhile a task sends these, whether their users are there or not; it ends when all are in Kafka."""
    connection = database.connect(settings)
    try:
        await insert(notifications.collection(connection), made)
    finally:
        database.close(connection)
    async with asyncio.TaskGroup() as tasks:
        yield tasks.create_task(_deliver(settings, server, made))


@asynccontextmanager
async def stalling(settings: Settings, server: Arm, made: Sequence[Addressed]) -> AsyncGenerator[asyncio.Task[None]]:
    """As `sending`, to a client for each of the users. Raises Lost unless they have all afterwards."""
    ids = dict[str, set[str]]()
    for one in made:
        ids.setdefault(one.recipient, set()).add(one.id)
    async with AsyncExitStack() as stack:
        sockets = {name: await _stalled(stack, settings, server, name) for name in ids}
        async with sending(settings, server, made) as sent:
            yield sent
        await asyncio.gather(*(_catch_up(raw, ids[name]) for name, raw in sockets.items()))


async def memory(env: Mapping[str, str]) -> list[Row]:
    """Of clients that are sent small notifications, and large ones: their credit is one of items, and of bytes."""
    names = [f"many-{n}" for n in range(_MANY)]
    large = made_for(names, _LARGE_ITEMS, "x" * MESSAGE_CHARS)
    made = {"resident memory of a stalled client": made_for(names), "the same, of large items": large}
    return [at_most(what, await _memory(env, items) / 1024, 256, "KiB") for what, items in made.items()]


async def _memory(env: Mapping[str, str], made: Sequence[Addressed]) -> float:
    """A stalled client's part of what a new gateway, with nothing else to do, grows by."""
    async with own_lane(env) as own, serving("gateway", own) as server:
        settings = Settings.from_env(own)
        async with probing(settings, server) as probe:
            resident = server.process.memory_info().rss
            async with stalling(settings, server, made) as sent:
                await sent
                await probe.waits(Lane.NORMAL, 1)  # it is behind all of theirs
                return (server.process.memory_info().rss - resident) / _MANY


async def _stalled(stack: AsyncExitStack, settings: Settings, server: Arm, name: str) -> Raw:
    """A client that is greeted and reads nothing more."""
    slow = await slow_socket(server.port, mint(settings, sub=name, scope=SUBSCRIBE))
    reader, writer = await asyncio.open_connection(sock=slow, limit=1024)
    stack.callback(writer.transport.abort)
    raw = Raw(reader, writer)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(frame(Opcode.TEXT, RESUME.encode()))
    if not await raw.hello():
        raise Lost(f"{name} was not greeted")
    return raw


async def _deliver(settings: Settings, server: Arm, made: Sequence[Addressed]) -> None:
    producer = clients.producer(settings)
    await producer.start()
    try:
        topic = Names(settings.prefix).deliveries_bulk
        records = ({"topic": topic, "value": value, "partition": server.mailbox} for value, _ in packed(made))
        await clients.send_all(producer, records)
    finally:
        await producer.stop()


async def _catch_up(raw: Raw, ids: set[str]) -> None:
    """Read and acknowledge until all have come.

    Through a buffer of an ordinary size again: with the least there is, Linux now and then drops what it has no room
    for, and that connection stands still for a minute.
    """
    raw.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
    missing = set(ids)
    try:
        async with asyncio.timeout(_CAUGHT_UP_WITHIN_S):
            while missing and not raw.code:
                for one in await raw.frames():
                    if one.opcode is Opcode.TEXT:
                        _handle(raw, bytes(one.data), missing)
    except TimeoutError as error:
        raise Lost(f"{len(missing)} of {len(ids)} did not come") from error
    if missing:
        raise Lost(f"{len(missing)} of {len(ids)}: the gateway closed with {raw.code}")


def _handle(raw: Raw, payload: bytes, missing: set[str]) -> None:
    decoded: dict[str, Any] = json.loads(payload)
    if decoded["op"] == "ping":
        raw.writer.write(frame(Opcode.TEXT, b'{"op":"pong"}'))
    elif decoded["op"] == "batch":
        missing.difference_update(one["id"] for one in decoded["items"])
        raw.writer.write(frame(Opcode.TEXT, _ACK % decoded["tag"]))
