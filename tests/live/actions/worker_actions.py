"""What workers do: their group, their windows' turns, and their crashes."""

from clarion.contracts.lanes import Lane
from tests.live.gates import soon
from tests.live.live import SURE_S, Live
from tests.live.schedules import Move


async def assign(live: Live, _: Move, lane: Lane, number: int) -> bool:
    worker = live.workers[lane, number]
    await worker.begin(await worker.lane.committed())
    live.owners[lane] = number
    return True


async def leave_group(live: Live, _: Move, lane: Lane, number: int) -> bool:
    await live.workers[lane, number].begin(None)
    return True


async def hear(live: Live, _: Move, lane: Lane, number: int) -> bool:
    live.workers[lane, number].is_silent = False
    return True


async def commit(live: Live, _: Move, lane: Lane, number: int) -> bool:
    return await live.workers[lane, number].commit()


async def take(live: Live, _: Move, lane: Lane, number: int, offset: int) -> bool:
    worker = live.workers[lane, number]
    if worker.position != offset:
        return False
    await worker.take(offset)
    return True


async def read_again(live: Live, _: Move, lane: Lane, number: int) -> bool:
    worker = live.workers[lane, number]
    if not await soon(worker.must_read_again, live.within_s):
        return False
    await worker.read_again()
    return True


async def store(live: Live, _: Move, lane: Lane, number: int, offset: int) -> bool:
    return await _stage(live, "store", lane, number, offset)


async def route(live: Live, _: Move, lane: Lane, number: int, offset: int) -> bool:
    return await _stage(live, "route", lane, number, offset)


async def _stage(live: Live, stage: str, lane: Lane, number: int, offset: int) -> bool:
    worker = live.workers[lane, number]
    await worker.hand(offset)
    if live.slowness.is_set():
        return False
    gates, point = worker.actor.gates, (stage, offset)
    await soon(lambda: gates.waits(point) or offset not in worker.working, live.within_s)
    return await gates.let(point, 0.0) or offset not in worker.working  # it was dropped: the worker may not any more


async def emit(live: Live, _: Move, lane: Lane, number: int, offset: int) -> bool:
    worker = live.workers[lane, number]
    return await worker.actor.gates.let(("emit", offset), live.within_s) and await worker.ended(offset)


async def crash_emitting(live: Live, _: Move, lane: Lane, number: int, offset: int, mailbox: int) -> bool:
    worker = live.workers[lane, number]
    worker.actor.only_mailbox = mailbox
    did = await worker.actor.gates.let(("emit", offset), live.within_s) and await soon(
        worker.actor.has_emitted.is_set, SURE_S
    )
    await _replace(live, lane, number)
    return did


async def go_live(live: Live, _: Move, lane: Lane, number: int, offset: int) -> bool:
    worker = live.workers[lane, number]
    await worker.hand(offset)
    wanted = live.schedule.scenario.entries[lane][offset].id
    while wanted not in worker.actor.early:
        if not await worker.actor.gates.let("early", live.within_s):
            return False
    return True


async def shelve(live: Live, _: Move, lane: Lane, number: int, offset: int) -> bool:
    worker = live.workers[lane, number]
    await worker.hand(offset)
    return await worker.ended(offset)


async def crash_worker(live: Live, _: Move, lane: Lane, number: int) -> bool:
    await _replace(live, lane, number)
    return True


async def _replace(live: Live, lane: Lane, number: int) -> None:
    await live.workers[lane, number].crash()
    live.workers[lane, number] = live.make_worker(lane)
    if live.owners.get(lane) == number:
        del live.owners[lane]


async def expel(live: Live, _: Move, lane: Lane, number: int) -> bool:
    if live.owners.get(lane) == number:
        del live.owners[lane]
    return True


async def wake_worker(live: Live, _: Move, lane: Lane, number: int) -> bool:
    live.workers[lane, number].is_silent = True
    return True
