"""What gateways do with their connections: sessions, reads, acknowledgements, full sockets."""

import asyncio

from services.gateway.client.connection_state import ConnectionState
from tests.live.gates import Gates, soon
from tests.live.live import SURE_S, Live
from tests.live.schedules import Move


async def write_sessions(live: Live, _: Move, number: int) -> bool:
    return await live.gateways[number].actor.gates.let("sessions", live.within_s)


async def time_out(live: Live, move: Move, number: int) -> bool:
    live.gateways[number].actor.times_out = True
    return await write_sessions(live, move, number)


async def land(live: Live, _: Move, number: int) -> bool:
    late = live.gateways[number].actor.late
    for write in late:
        await write()
    late.clear()
    return True


async def arrive(live: Live, _: Move, number: int, device: int) -> bool:
    connection = live.connection(number, device)
    if not await _gates(live, number).let(("told", connection), live.within_s):
        return False
    if not await soon(lambda: connection.state >= ConnectionState.PRESENT, SURE_S):
        return False
    await _send_receipts(live, number)
    return True


async def start_read(live: Live, _: Move, number: int, device: int) -> bool:
    return await _gates(live, number).let(("read", live.connection(number, device)), live.within_s)


async def finish_read(live: Live, _: Move, number: int, device: int) -> bool:
    return await _gates(live, number).let(("answer", live.connection(number, device)), live.within_s)


async def let_go(live: Live, _: Move, number: int, device: int) -> bool:
    live.connection(number, device).feed.ahead = None
    return True


async def acknowledge(live: Live, _: Move, number: int, device: int, __: int) -> bool:
    feed = live.connection(number, device).feed
    tag = await live.devices[device].acknowledge()
    if tag is None or not await soon(lambda: all(sent.tag > tag for sent in feed._sent), SURE_S):
        return False
    await _send_receipts(live, number)
    return True


async def _send_receipts(live: Live, number: int) -> None:
    """In the model they are on Kafka at once."""
    gateway = live.gateways[number].actor.gateway
    assert gateway is not None
    async with asyncio.timeout(SURE_S):
        await gateway.receipt_sender.flush()


async def leave(live: Live, _: Move, number: int, device: int) -> bool:
    connection = live.connection(number, device)
    await live.drop((number, device))
    return await soon(lambda: connection not in live.gateways[number].clients(), SURE_S)


async def fill_socket(live: Live, _: Move, number: int, device: int) -> bool:
    return writable(live, number, device, False)


async def drain_socket(live: Live, _: Move, number: int, device: int) -> bool:
    return writable(live, number, device, True)


def writable(live: Live, number: int, device: int, is_writable: bool) -> bool:
    gateway = live.gateways[number].actor.gateway
    assert gateway is not None
    gateway.on_writable(live.connection(number, device), is_writable)
    return True


def _gates(live: Live, number: int) -> Gates:
    return live.gateways[number].actor.gates
