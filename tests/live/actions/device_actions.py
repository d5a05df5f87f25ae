"""What devices do: connect, handle, hang up, lie and forget."""

from contextlib import AsyncExitStack

from websockets.exceptions import ConnectionClosed, InvalidStatus

from clarion.contracts import times
from clarion.store import notifications
from services.gateway.client.connection import Connection
from services.gateway.client.connection_state import ConnectionState
from services.gateway.client.feed import FRESH_MARGIN
from tests.live.gates import soon
from tests.live.live import SURE_S, Live
from tests.live.schedules import Move


async def connect(live: Live, _: Move, device: int, number: int) -> bool:
    """Greeted as well: without its session, for the sake of what goes live early."""
    gateway, its = live.gateways[number], live.devices[device]
    if not gateway.is_serving or (number, device) in live.links:
        return False
    if its.position.since is None:
        its.exempt |= await _acknowledged_before(live)
    before, stack = gateway.clients(), AsyncExitStack()
    try:
        await its.connect(stack, gateway.settings.gateway_url)
    except (InvalidStatus, ConnectionClosed):  # it loses its lease in this moment
        await stack.aclose()
        return False

    def greeted() -> list[Connection]:
        return [connection for connection in gateway.clients() - before if connection.state >= ConnectionState.GREETED]

    if not await soon(lambda: bool(greeted()), SURE_S):
        await stack.aclose()
        return False
    live.links[number, device] = greeted()[0], stack
    live.at[device] = number
    return True


async def _acknowledged_before(live: Live) -> set[str]:
    """What a fresh device is not owed: others have acknowledged it too long ago."""
    query = {"delivered_at": {"$lt": times.now() - FRESH_MARGIN}}
    return {one["_id"] async for one in notifications.collection(live.stored).find(query, ["_id"])}


async def handle(live: Live, move: Move, device: int) -> bool:
    if device not in live.at:
        return False
    brought = await live.devices[device].handle(live.within_s)
    if brought is not None and brought != move.brings:
        live.differs.append(f"{move.text}: {brought} instead of {move.brings}")
    return brought is not None


async def hang_up(live: Live, _: Move, device: int) -> bool:
    """Its socket is left alone: what comes there is lost, and the gateway notices when the schedule says so."""
    return live.at.pop(device, None) is not None


async def go(live: Live, move: Move, device: int) -> bool:
    live.devices[device].is_gone = True
    return await hang_up(live, move, device)


async def lie(live: Live, _: Move, device: int) -> bool:
    number = live.at.get(device)
    if number is None:
        return False
    await live.devices[device].lie()
    connection = live.connection(number, device)
    live.devices[device].is_gone = True
    del live.at[device]
    return await soon(lambda: not connection.is_open, SURE_S)


async def forget(live: Live, _: Move, device: int) -> bool:
    live.devices[device].forget()
    return True
