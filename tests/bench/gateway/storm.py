"""All sockets cut at once: how long until they are back and have what came meanwhile, beside the first connect."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console

from clarion.broker import clients
from clarion.broker.keyed_producer import send_keyed
from clarion.contracts import order, times
from clarion.contracts.lanes import Lane
from clarion.contracts.topics import Names
from clarion.settings import Settings
from clarion.store import notifications
from clarion.store.driver import database
from clarion.store.notifications import State
from tests.bench.gateway.arms import Arm, Lost, connecting, counted, serving
from tests.bench.gateway.clients import Count, user
from tests.bench.gateway.items import insert, item
from tests.bench.stream.throughput import own_lane
from tests.report import Row, at_most

SHARE: Final = 0.99
_WITHIN_S: Final = 120.0


async def measure(env: Mapping[str, str], sockets: int, console: Console) -> list[Row]:
    async with own_lane(env) as own, serving("gateway", own) as server:
        settings = Settings.from_env(own)
        connection = database.connect(settings)
        await _publish(settings, sockets)
        stored = notifications.collection(connection)
        since = times.rfc3339(times.now())
        first = await _crowd(server, own, stored, sockets, ordinal=1)
        again = await _crowd(server, own, stored, sockets, ordinal=2, returning=(1, since))
        database.close(connection)
    console.print(f"  {SHARE:.0%} of {sockets:,} had theirs after {first:.1f} s, and {again:.1f} s after they were cut")
    return [
        Row(f"{sockets:,} connect at once: {SHARE:.0%} have theirs after", first, "s"),
        Row(f"{sockets:,} cut at once: {SHARE:.0%} are back and have theirs after", again, "s"),
        at_most("cut / first connect", again / first, 2),
    ]


async def _publish(settings: Settings, sockets: int) -> None:
    """Something for everybody: a gateway believes no cursor beyond the end of its lane, and no lane runs here."""
    producer = clients.producer(settings)
    await producer.start()
    try:
        topic = Names(settings.prefix).notifications(Lane.NORMAL)
        await send_keyed(producer, topic, ((user(n), b"{}") for n in range(sockets)))
    finally:
        await producer.stop()


async def _crowd(
    server: Arm,
    env: Mapping[str, str],
    stored: database.Collection,
    sockets: int,
    *,
    ordinal: int,
    returning: tuple[int, str] | None = None,
) -> float:
    """All at once, as fast as the gateway takes them; something waits for each. Raises `Lost` unless it comes once."""
    await insert(stored, [item(user(n), Lane.NORMAL, ordinal) for n in range(sockets)])
    async with connecting(server, sockets, env, 0, returning) as board:
        seconds = await counted(server, board, Count.RECEIVED, round(SHARE * sockets), _WITHIN_S)
        await counted(server, board, Count.RECEIVED, sockets, _WITHIN_S)
        if board[Count.REPEATED] or board[Count.RECEIVED] != sockets:
            raise Lost(f"{board[Count.RECEIVED]:,} received by {sockets:,}, {board[Count.REPEATED]} repeated")
    # what the receipts role would do, which does not run here
    delivered = {"$set": {"state": State.DELIVERED, "delivered_at": times.now()}}
    await stored.update_many({"ord": order.pack(0, ordinal)}, delivered)
    return seconds
