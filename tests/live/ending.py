"""The end of a schedule: nothing is held any more, what is broken is mended, and all go on."""

import asyncio
from typing import Final

from tests.live import checks
from tests.live.actions import connection_actions, device_actions, receipt_actions, worker_actions
from tests.live.device import LiveDevice
from tests.live.live import Live

ENDS_WITHIN_S: Final = 20.0


async def settle(live: Live, within_s: float) -> None:
    """Hold nothing any more, mend what is broken, go on until everybody has what it is owed, or time is over."""
    live.slowness.clear()
    _wish(live)  # else a gateway that lost its lease takes it back, and who reconnects gets what was lost
    for actor in (each.actor for each in (*live.workers.values(), *live.gateways.values())):
        actor.gates.open()
    for worker in live.workers.values():
        worker.is_silent = False
    for place, (connection, _) in list(live.links.items()):
        if live.at.get(place[1]) != place[0]:
            await live.drop(place)
        elif connection.feed.paused:
            connection_actions.writable(live, *place, True)
    try:
        async with asyncio.timeout(within_s):
            while await checks.missing(live) or not (await checks.all_committed(live) and checks.all_live(live)):
                await _go_on(live)
    except TimeoutError:
        pass  # what is missing is told by `checks.wrongs`


async def _go_on(live: Live) -> None:
    _wish(live)
    for lane in live.schedule.scenario.lanes:
        if lane not in live.owners:
            await worker_actions.assign(live, live.schedule.moves[0], lane, 0)
        await live.owner(lane).go_on()
    await receipt_actions.read_more(live, 0.02)
    while live.unfolded:
        await receipt_actions.fold_one(live, live.unfolded.pop(0))
    for number, device in live.devices.items():
        if not device.is_gone:
            await _read_on(live, number, device)


def _wish(live: Live) -> None:
    """Who has no mailbox takes one that nobody serves."""
    free = set(range(live.schedule.scenario.mailboxes)) - {each.mailbox for each in live.gateways.values()}
    for gateway in live.gateways.values():
        if not gateway.is_serving:
            gateway.actor.wish = min(free, default=None)
            free.discard(min(free, default=-1))


async def _read_on(live: Live, number: int, device: LiveDevice) -> None:
    at = live.at.get(number)
    if at is not None and device.is_closed:
        await live.drop((at, number))
        at = None
    if at is None:
        serving = [n for n, gateway in live.gateways.items() if gateway.is_serving]
        home = [n for n in serving if n == number] or serving
        if home:
            await device_actions.connect(live, live.schedule.moves[0], number, home[0])
        return
    await device.handle(0.02)
    await device.acknowledge()
