"""What workers do: their group, and which of their windows may do what next."""

from dataclasses import replace

from clarion.contracts.lanes import Lane
from clarion.store import sessions
from services.stream.engine.stage_order import Stage, StageOrder
from tests.model.steps.step import Step, Steps
from tests.model.steps.window_steps import emit, fold_receipt, go_live, route, shelve, store
from tests.model.world.environment import weather
from tests.model.world.kafka import LaneLog, Receipts, partition
from tests.model.world.mongo import Collection, answered
from tests.model.world.worker import Done, Window, Worker
from tests.model.world.world import World

_LEFT = {Done.NOTHING: (), Done.STORED: (Stage.STORE,), Done.ROUTED: (Stage.STORE,)}


def steps(w: World) -> Steps:
    for (lane, number), worker in w.each(Worker):
        if worker.is_asleep:
            continue
        at, log = (lane, number), w.get(LaneLog, lane)
        if worker.position is None:
            if log.owner is None:
                yield Step("{0} worker {1} is given the partition", assign, at)
            continue
        if log.owner == number and worker.tracker.committable():
            yield Step("{0} worker {1} commits", commit, at)
        if worker.is_silent:
            if log.owner == number:
                yield Step("{0} worker {1} hears from the broker", hear, at)
            else:
                yield Step("{0} worker {1} hears that it was expelled", leave_group, at)
        if _is_to_read_again(worker):
            yield Step("{0} worker {1} goes back to what is acknowledged, and reads again", read_again, at)
        elif len(worker.windows) < w.scenario.windows and worker.position < len(w.scenario.entries[lane]):
            yield Step("{0} worker {1} takes offset {2}", take, (*at, worker.position))
        yield from _windows(w, lane, number, worker)
    if w.get(Receipts, 0).waiting and weather(w).mongodb:
        yield Step("a receipt is folded", fold_receipt)


def _windows(w: World, lane: Lane, number: int, worker: Worker) -> Steps:
    for window, may_store, may_emit in _turns(w, lane, worker):
        args = (lane, number, window.offset)
        if lane is Lane.URGENT and not weather(w).mongodb:
            if _is_unseen(worker, window):
                if not _is_behind_unseen(worker, window) or not w.keeps("D-early-order"):
                    yield Step("{0} worker {1} sends offset {2} early to every mailbox", go_live, args)
            elif window.done is Done.NOTHING and not _is_first_to_wait(worker, window):
                yield Step("{0} worker {1} puts offset {2} off", shelve, args)
        if window.done is Done.ROUTED:
            if may_emit and worker.is_put_off(window.offset):
                yield Step("{0} worker {1} puts offset {2} off, too", shelve, args)
            elif may_emit:
                yield Step("{0} worker {1} emits offset {2}, if it still may", emit, args)
        elif weather(w).mongodb and window.done is Done.STORED:
            yield Step("{0} worker {1} looks up who is connected for offset {2}", route, args)
        elif weather(w).mongodb and may_store:
            if worker.is_put_off(window.offset):
                yield Step("{0} worker {1} puts offset {2} off, too", shelve, args)
            else:
                yield Step("{0} worker {1} stores offset {2}, if it still may", store, args)


def _is_unseen(worker: Worker, window: Window) -> bool:
    """Whether it has still to be sent early, by the offset up to which that is done."""
    return not window.is_live and window.offset > worker.live_up_to


def _is_behind_unseen(worker: Worker, window: Window) -> bool:
    earlier = (one for one in worker.windows if one.offset < window.offset and one.done is not Done.ROUTED)
    return any(_is_unseen(worker, one) for one in earlier)


def _is_first_to_wait(worker: Worker, window: Window) -> bool:
    """It has a place to wait for MongoDB in."""
    return window is next(one for one in worker.windows if one.done is not Done.ROUTED)


def _turns(w: World, lane: Lane, worker: Worker) -> list[tuple[Window, bool, bool]]:
    """Each window, and whether it is next to store and to emit."""
    turns = StageOrder()
    found: list[tuple[Window, bool, bool]] = []
    for window in worker.windows:
        turn = turns.join({partition(lane)} if w.keeps("D-stage-order") else ())
        for stage in _LEFT[window.done]:
            turn._left[stage].set()
        found.append((window, turn.ahead(Stage.STORE) is None, turn.ahead(Stage.EMIT) is None))
    return found


def _is_to_read_again(worker: Worker) -> bool:
    """Once what was begun before is done."""
    if worker.ownership.must_read_again():
        return not worker.windows
    return worker.shelved_from is not None and all(worker.is_put_off(window.offset) for window in worker.windows)


# ---- the group


def assign(w: World, lane: Lane, number: int) -> None:
    log = w.change(LaneLog, lane)
    log.owner = number
    w.change(Worker, lane, number).begin(log.committed)


def leave_group(w: World, lane: Lane, number: int) -> None:
    w.change(Worker, lane, number).begin(None)


def hear(w: World, lane: Lane, number: int) -> None:
    w.change(Worker, lane, number).is_silent = False


def commit(w: World, lane: Lane, number: int) -> None:
    tracker = w.change(Worker, lane, number).tracker
    for its_partition, offset in tracker.committable().items():
        w.change(LaneLog, lane).committed = offset
        tracker.committed(its_partition, offset)


def take(w: World, lane: Lane, number: int, offset: int) -> None:
    worker = w.change(Worker, lane, number)
    worker.tracker.take(partition(lane), offset, offset)
    worker.position = offset + 1
    window = Window(offset, worker.tracker.ownership_epoch)
    if not w.keeps("D-route-all"):
        leases = w.get(Collection, "mailboxes").documents.values()
        window = replace(window, epochs=tuple((lease["_id"], lease["epoch"]) for lease in leases))
    if not w.keeps("D-store-first"):
        recipient = w.scenario.entries[lane][offset].recipient
        window = replace(window, mailboxes=answered(sessions.route(w.get(Collection, "sessions").driver, [recipient])))
    worker.windows += (window,)


def read_again(w: World, lane: Lane, number: int) -> None:
    worker = w.change(Worker, lane, number)
    position = worker.tracker.resume_points().get(partition(lane), worker.position)
    is_silent = worker.is_silent
    worker.begin(position)
    worker.is_silent = is_silent
