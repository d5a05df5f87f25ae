"""What gateways do with their lease and their mailbox, and what goes wrong with these."""

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from clarion.contracts.topics import Names
from tests.live.actor import Actor, Chore
from tests.live.gates import soon
from tests.live.gateway import LiveGateway
from tests.live.live import SURE_S, Live
from tests.live.schedules import Move
from tests.model.world.kafka import topic


async def acquire(live: Live, _: Move, number: int, mailbox: int) -> bool:
    actor = live.gateways[number].actor
    actor.wish = mailbox
    return await actor.gates.let("look", SURE_S) and await actor.gates.comes("fence", live.within_s)


async def fence(live: Live, _: Move, number: int) -> bool:
    gates = live.gateways[number].actor.gates
    return await gates.let("fence", live.within_s) and await gates.comes("renew", SURE_S)


async def serve(live: Live, _: Move, number: int) -> bool:
    gateway = live.gateways[number]
    return (
        _reaches(live, number)
        and await gateway.actor.gates.let("renew", live.within_s)
        and await gateway.serves(True, live.within_s)
    )


async def sweep(live: Live, _: Move, number: int) -> bool:
    return await live.gateways[number].actor.gates.let("sweep", live.within_s)


async def clear_up(live: Live, _: Move, number: int, mailbox: int) -> bool:
    return await _do(live, number, lambda clearing, leases: clearing.clear(leases[mailbox]))


async def sweep_again(live: Live, _: Move, number: int) -> bool:
    return await _do(live, number, lambda clearing, leases: clearing.sweep_again(leases))


async def _do(live: Live, number: int, chore: Chore) -> bool:
    actor = live.gateways[number].actor
    actor.chore = chore
    return _reaches(live, number) and await actor.gates.let("clear up", live.within_s)


async def lose(live: Live, _: Move, number: int) -> bool:
    gateway = live.gateways[number]
    if not _reaches(live, number) or not await gateway.actor.gates.let("renew", live.within_s):
        return False
    if not await gateway.serves(False, live.within_s):
        return False
    return await _closed(live, number)


def _reaches(live: Live, number: int) -> bool:
    return not (live.slowness.is_set() or live.gateways[number].is_cut_off)


async def _closed(live: Live, number: int) -> bool:
    """Its clients are, all of them: what is still on its way to them is lost."""
    gateway = live.gateways[number]
    for place in [place for place in live.links if place[0] == number]:
        await live.drop(place)
    return await soon(lambda: not gateway.clients(), SURE_S)


async def read(live: Live, _: Move, number: int, name: str, __: int) -> bool:
    """Until it asks for the next record, or has found that it was fenced."""
    gateway, point = live.gateways[number], ("mailbox", _topic(live, name))
    if not await gateway.actor.gates.let(point, live.within_s):
        return False
    if not await soon(lambda: gateway.actor.gates.waits(point) or not gateway.is_serving, SURE_S):
        return False
    return gateway.is_serving or await _closed(live, number)


async def skip(live: Live, move: Move, number: int, name: str) -> bool:
    return await read(live, move, number, name, 0)


async def crash_gateway(live: Live, _: Move, number: int) -> bool:
    await live.gateways[number].crash()
    for place in [place for place in live.links if place[0] == number]:
        await live.drop(place)
    live.gateways[number] = LiveGateway(live.settings, Actor(lanes=frozenset(live.schedule.scenario.lanes)))
    await live.gateways[number].start()
    return True


async def cut_off_gateway(live: Live, _: Move, number: int) -> bool:
    live.gateways[number].is_cut_off = True
    return True


async def reconnect_gateway(live: Live, _: Move, number: int) -> bool:
    live.gateways[number].is_cut_off = False
    return True


async def overrun(live: Live, _: Move, number: int) -> bool:
    gateway = live.gateways[number]
    mailbox = gateway.actor.wish if gateway.mailbox is None else gateway.mailbox
    assert mailbox is not None
    names = {_topic(live, topic(lane)) for lane in live.schedule.scenario.lanes}
    await live.admin.delete_records(
        {TopicPartition(name, mailbox): RecordsToDelete(before_offset=-1) for name in names}
    )
    return True


def _topic(live: Live, name: str) -> str:
    names = Names(live.settings.prefix)
    return names.deliveries_urgent if name == "urgent" else names.deliveries_bulk
