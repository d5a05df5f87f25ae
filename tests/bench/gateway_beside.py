"""What some do to others: bulk deliveries to urgent ones, and clients that stall to those that do not."""

import asyncio
import json
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from statistics import mean
from typing import Any, Final

from rich.console import Console
from websockets.frames import Opcode

from clarion.broker import clients
from clarion.contracts.deliveries import Addressed
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.security.tokens import SUBSCRIBE, mint
from clarion.settings import Settings
from clarion.store import database, notifications
from tests.bench import gateway_bare, gateway_bulk
from tests.bench.gateway_arms import Arm, Lost, connected, serving
from tests.bench.gateway_clients import Count
from tests.bench.gateway_delivery import SOCKETS
from tests.bench.gateway_items import insert, item, packed
from tests.bench.gateway_probe import Probe, probing
from tests.bench.throughput import own_lane
from tests.faults.raw_client import Raw, frame, slow_socket
from tests.gateways import RESUME
from tests.report import Row, at_least, at_most, p99_ms

STALLED: Final = SOCKETS // 100
STALLED_ITEMS: Final = 500  # to each: several times its credit
PROBES: Final = 1_000  # a round
_STALLED_PROBES: Final = 1_000  # a round: on a slow machine, too, done before a client that answers no ping is closed
_WARM_UP: Final = 200  # probes that count nowhere: the first arm would have them alone
_ROUNDS: Final = 3
_STALLED_ROUNDS: Final = 6  # a p99 is made of the machine's own hiccups, of ten waits each
_SHARE: Final = 0.6  # of what the gateway delivers at most
_CAUGHT_UP_WITHIN_S: Final = 60.0
_RECEIVE_BYTES: Final = 2**18
_ACK: Final = b'{"op":"ack","tag":%d}'


async def measure(env: Mapping[str, str], maximum: float, console: Console) -> list[Row]:
    rate = _SHARE * maximum
    async with own_lane(env) as own, serving("gateway", own) as server, connected(server, SOCKETS, own) as board:
        settings = Settings.from_env(own)
        async with probing(settings, server) as probe, gateway_bare.reading(own, Lane.URGENT, server.mailbox) as bare:
            quiet, beside, shares = list[list[float]](), list[list[float]](), list[float]()
            for part in range(_ROUNDS):  # interleaved: what the machine does meanwhile, it does to both
                quiet += await probe.waits(Lane.URGENT, PROBES, bare)
                async with gateway_bulk.flowing(own, server, board, rate, part):
                    had, began = board[Count.ACKNOWLEDGED], time.perf_counter()
                    beside += await probe.waits(Lane.URGENT, PROBES, bare)
                    due = rate * (time.perf_counter() - began)
                    shares.append((board[Count.ACKNOWLEDGED] - had) / due)
            free, stalled, grown_kib = list[list[float]](), list[list[float]](), list[float]()
            async with gateway_bulk.flowing(own, server, board, rate, _ROUNDS):
                await probe.waits(Lane.NORMAL, _WARM_UP)
                for part in range(_STALLED_ROUNDS):
                    free += await probe.waits(Lane.NORMAL, _STALLED_PROBES)
                    waits, kib = await _beside_stalled(settings, server, probe, part)
                    stalled, grown_kib = stalled + waits, [*grown_kib, kib]
    others, beside_stalled = (p99_ms([seconds for (seconds,) in waits]) for waits in (free, stalled))
    console.print(f"  others' p99 {others:.1f} ms, {beside_stalled:.1f} while {STALLED} clients stall")
    return [
        at_least(f"bulk acknowledged / sent, at {rate:,.0f}/s beside urgent", mean(shares), 0.95),
        *gateway_bare.compared("urgent", f"beside bulk at {rate:,.0f}/s", quiet, beside, 2, console),
        Row("beside bulk, record to socket, p99", others, "ms"),
        at_most(f"the same while {STALLED} of {SOCKETS:,} clients stall, p99", beside_stalled / others, 1.2),
        at_most("resident memory of a stalled client", max(grown_kib) / STALLED, 256, "KiB"),
    ]


async def _beside_stalled(settings: Settings, server: Arm, probe: Probe, part: int) -> tuple[list[list[float]], float]:
    """The others' waits, and by how many KiB the gateway grew. Raises `Lost` unless all receive theirs afterwards."""
    connection = database.connect(settings)
    names = [f"stalled-{part}-{n}" for n in range(STALLED)]
    async with AsyncExitStack() as stack:
        resident = server.process.memory_info().rss
        sockets = {name: await _stalled(stack, settings, server, name) for name in names}
        made = [item(name, Lane.NORMAL, n + 1) for n in range(STALLED_ITEMS) for name in names]
        await insert(notifications.collection(connection), made)
        sending = asyncio.create_task(_deliver(settings, server, made))
        waits = await probe.waits(Lane.NORMAL, _STALLED_PROBES)
        await sending
        grown_kib = (server.process.memory_info().rss - resident) / 1024
        async with asyncio.timeout(_CAUGHT_UP_WITHIN_S):
            await asyncio.gather(*(_catch_up(socket, _of(name, made)) for name, socket in sockets.items()))
    database.close(connection)
    return waits, grown_kib


async def _stalled(stack: AsyncExitStack, settings: Settings, server: Arm, name: str) -> Raw:
    """A client that is greeted and reads nothing more."""
    socket = await slow_socket(server.port, mint(settings, sub=name, scope=SUBSCRIBE))
    reader, writer = await asyncio.open_connection(sock=socket, limit=1024)
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


def _of(name: str, made: Sequence[Addressed]) -> set[str]:
    return {one.id for one in made if one.recipient == name}


async def _catch_up(raw: Raw, ids: set[str]) -> None:
    """Read and acknowledge until all have come.

    Through a buffer of an ordinary size again: with the least there is, Linux now and then drops what it has no room
    for, and that connection stands still for a minute.
    """
    raw.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
    missing = set(ids)
    while missing:
        found = await raw.frames()
        if raw.code:
            raise Lost(f"{len(missing)} of {len(ids)}: the gateway closed with {raw.code}")
        for one in found:
            _handle(raw, bytes(one.data), missing)


def _handle(raw: Raw, payload: bytes, missing: set[str]) -> None:
    decoded: dict[str, Any] = json.loads(payload)
    if decoded["op"] == "ping":
        raw.writer.write(frame(Opcode.TEXT, b'{"op":"pong"}'))
    elif decoded["op"] == "batch":
        missing.difference_update(one["id"] for one in decoded["items"])
        raw.writer.write(frame(Opcode.TEXT, _ACK % decoded["tag"]))
